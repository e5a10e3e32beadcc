package esm

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// note is what this library writes beside every position that it commits, as the commit's metadata:
//
//	esm/1 partitions=12 topic=QO5N3lJ0Sj6o0vGM1r7Wcg.5d1c09aa mapping=0f3a9c51
//
// Words that a version does not know are passed over; the first two are the oldest.
type note struct {
	// ours: this library wrote it.
	ours bool
	// partitions is the number of partitions that the topic had when the group began to read it, so that any member can
	// tell a partition that was added later (it begins at its beginning) from one that was there and never started
	// (StartingPosition applies). 0: every partition without a commit begins at its beginning.
	partitions int32
	// topic is the id of the topic whose offset it is, zero where it is not known: a topic that was deleted and made again
	// under the same name has another one, and offsets of its own.
	topic [16]byte
	// cluster is a fingerprint of the bootstrap servers under which that id was seen. Tools that carry a group over to
	// another cluster take its commits' metadata along, and topics have other ids there without having been made again.
	cluster string
	// mapping is the fingerprint of the mapping, empty where it has none.
	mapping string
}

const notePrefix = "esm/1 partitions="

// text is what a commit carries.
func (n note) text(fingerprint string) string {
	b := make([]byte, 0, 80)
	b = append(b, notePrefix...)
	b = strconv.AppendInt(b, int64(max(n.partitions, 0)), 10)
	if n.topic != ([16]byte{}) {
		b = append(b, " topic="...)
		b = base64.RawURLEncoding.AppendEncode(b, n.topic[:])
		b = append(b, '.')
		b = append(b, n.cluster...)
	}
	if fingerprint != "" {
		b = append(b, " mapping="...)
		b = append(b, fingerprint...)
	}
	return string(b)
}

// parseNote is the reverse of text. What others wrote is not ours.
func parseNote(s string) (n note) {
	rest, ok := strings.CutPrefix(s, notePrefix)
	if !ok {
		return note{}
	}
	number, rest, _ := strings.Cut(rest, " ")
	partitions, err := strconv.ParseInt(number, 10, 32)
	if err != nil || partitions < 0 {
		return note{}
	}
	n.ours, n.partitions = true, int32(partitions)
	for word := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "topic":
			text, cluster, _ := strings.Cut(value, ".")
			if id, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(id) == len(n.topic) {
				n.topic, n.cluster = [16]byte(id), cluster
			}
		case "mapping":
			n.mapping = value
		}
	}
	return n
}

// stale reports whether the commit is known to be of an earlier topic than now, which a note of today would be of.
func (n note) stale(now note) bool {
	none := [16]byte{}
	return n.topic != none && now.topic != none && n.topic != now.topic && n.cluster == now.cluster
}

// fingerprint is a short name of what is written, for notes.
func fingerprint(parts ...string) string {
	sum := crc32.NewIEEE()
	for _, p := range parts {
		_, _ = sum.Write([]byte(p)) // never fails
		_, _ = sum.Write([]byte{0})
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}
