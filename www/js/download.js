// Saves a stream: straight into the file that the person chooses where the browser can, else by way of a Blob.

/** Whether it was saved: false where the person changed their mind. */
export async function download(body, key) {
  const name = fileName(key);
  if (globalThis.showSaveFilePicker) {
    let file;
    try {
      file = await showSaveFilePicker({ suggestedName: name });
    } catch (error) {
      await body.cancel();
      if (error.name === "AbortError") return false;
      throw error;
    }
    await body.pipeTo(await file.createWritable());
    return true;
  }
  const url = URL.createObjectURL(await new Response(body).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after this function has ended.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return true;
}

/** The last part of a key, as far as file systems take it. */
function fileName(key) {
  const name = key.split("/").at(-1).replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+/, "").slice(0, 100);
  return name || "value";
}
