// Reads one table with Pebble itself and says what it found, so that a test can compare it with what was written.
//
//	pebble_list FILE [SIZE]     SIZE: the table ends there, the rest of the file is not part of it
//
// Prints one line `table FORMAT` and one line an entry, in the table's order: hex of the user key, sequence, kind, SHA-256 of
// the value; between by spaces. Exit status 0 only if every block's checksum holds, the reverse order is the same entries
// backwards, and a seek for each key finds it, through the table's filter where there is one.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"

	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pebble_list FILE [SIZE]")
		os.Exit(2)
	}
	if err := list(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func list(path string, size []string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(size) > 0 {
		n, err := strconv.Atoi(size[0])
		if err != nil || n < 0 || n > len(data) {
			return fmt.Errorf("no table of %s bytes in a file of %d", size[0], len(data))
		}
		data = data[:n]
	}
	reader, err := open(data)
	if err != nil {
		return err
	}
	defer reader.Close()
	if err := reader.ValidateBlockChecksums(); err != nil {
		return err
	}
	format, err := reader.TableFormat()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintf(out, "table %s\n", format)
	keys, entries, err := forward(reader, out)
	if err != nil {
		return err
	}
	if err := backward(reader, keys, entries); err != nil {
		return err
	}
	if err := seeks(reader, keys); err != nil {
		return err
	}
	return out.Flush()
}

// open goes through a file in memory, which ends where the table ends.
func open(data []byte) (*sstable.Reader, error) {
	fs := vfs.NewMem()
	file, err := fs.Create("table", vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(data); err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	if file, err = fs.Open("table"); err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return nil, err
	}
	filter := bloom.FilterPolicy(10)
	return sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{
		Filters: map[string]sstable.FilterPolicy{filter.Name(): filter},
	})
}

func points(reader *sstable.Reader) (sstable.Iterator, error) {
	return reader.NewPointIter(context.Background(), sstable.IterOptions{
		FilterBlockSizeLimit: sstable.AlwaysUseFilterBlock,
		Env:                  sstable.NoReadEnv,
		ReaderProvider:       sstable.MakeTrivialReaderProvider(reader),
	})
}

// forward prints every entry; it returns the distinct user keys in order and the number of entries.
func forward(reader *sstable.Reader, out *bufio.Writer) (keys [][]byte, entries int, err error) {
	iter, err := points(reader)
	if err != nil {
		return nil, 0, err
	}
	defer iter.Close()
	for kv := iter.First(); kv != nil; kv = iter.Next() {
		value, _, err := kv.Value(nil)
		if err != nil {
			return nil, 0, err
		}
		fmt.Fprintf(out, "%x %d %d %x\n", kv.K.UserKey, kv.K.SeqNum(), kv.K.Kind(), sha256.Sum256(value))
		if len(keys) == 0 || !bytes.Equal(keys[len(keys)-1], kv.K.UserKey) {
			keys = append(keys, bytes.Clone(kv.K.UserKey))
		}
		entries++
	}
	return keys, entries, iter.Error()
}

func backward(reader *sstable.Reader, keys [][]byte, entries int) error {
	iter, err := points(reader)
	if err != nil {
		return err
	}
	defer iter.Close()
	for kv := iter.Last(); kv != nil; kv = iter.Prev() {
		for len(keys) > 0 && !bytes.Equal(keys[len(keys)-1], kv.K.UserKey) {
			keys = keys[:len(keys)-1]
		}
		if len(keys) == 0 {
			return fmt.Errorf("backwards: %x is out of order", kv.K.UserKey)
		}
		entries--
	}
	if entries != 0 {
		return fmt.Errorf("backwards: %d entries less than forwards", entries)
	}
	return iter.Error()
}

func seeks(reader *sstable.Reader, keys [][]byte) error {
	iter, err := points(reader)
	if err != nil {
		return err
	}
	defer iter.Close()
	for _, key := range keys {
		if kv := iter.SeekPrefixGE(key, key, 0); kv == nil || !bytes.Equal(kv.K.UserKey, key) {
			return fmt.Errorf("seek: %x is in the table and was not found (%v)", key, iter.Error())
		}
	}
	return iter.Error()
}
