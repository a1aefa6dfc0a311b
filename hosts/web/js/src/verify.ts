/**
 * Reads as "isledb" does, and can check signatures: `Reader.open(source, { trustedKeys: [publicKey] })`.
 *
 * @module
 */
export * from "./index.js";
