package start

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Note is the metadata that this library writes with every position that it commits:
//
//	esm/1 partitions=12 topic=QO5N3lJ0Sj6o0vGM1r7Wcg.5d1c09aa mapping=0f3a9c51
//
// A version ignores words that it does not know. The first two are the oldest.
type Note struct {
	// Ours is whether this library wrote the note.
	Ours bool
	// Partitions is the number of partitions that the topic had when the group began to read it. With it any member can
	// tell a partition that was added later (it begins at its beginning) from one that existed and never started
	// (StartingPosition applies). If it is 0, every partition without a commit begins at its beginning.
	Partitions int32
	// Topic is the id of the topic that the offset belongs to, zero if unknown. A topic that was recreated under the same
	// name has another id, and its own offsets.
	Topic [16]byte
	// Cluster is a fingerprint of the bootstrap servers under which that id was seen. Tools that copy a group to another
	// cluster copy its commits' metadata. Topics have other ids there without having been recreated.
	Cluster string
	// Mapping is the fingerprint of the mapping, empty if it has none.
	Mapping string
}

const notePrefix = "esm/1 partitions="

// Text returns the metadata of a commit.
func (n Note) Text(fingerprint string) string {
	b := make([]byte, 0, 80)
	b = append(b, notePrefix...)
	b = strconv.AppendInt(b, int64(max(n.Partitions, 0)), 10)
	if n.Topic != ([16]byte{}) {
		b = append(b, " topic="...)
		b = base64.RawURLEncoding.AppendEncode(b, n.Topic[:])
		b = append(b, '.')
		b = append(b, n.Cluster...)
	}
	if fingerprint != "" {
		b = append(b, " mapping="...)
		b = append(b, fingerprint...)
	}
	return string(b)
}

// ParseNote is the reverse of Text. For metadata that others wrote, Ours is false.
func ParseNote(s string) (n Note) {
	rest, ok := strings.CutPrefix(s, notePrefix)
	if !ok {
		return Note{}
	}
	number, rest, _ := strings.Cut(rest, " ")
	partitions, err := strconv.ParseInt(number, 10, 32)
	if err != nil || partitions < 0 {
		return Note{}
	}
	n.Ours, n.Partitions = true, int32(partitions)
	for word := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "topic":
			text, cluster, _ := strings.Cut(value, ".")
			if id, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(id) == len(n.Topic) {
				n.Topic, n.Cluster = [16]byte(id), cluster
			}
		case "mapping":
			n.Mapping = value
		}
	}
	return n
}

// Stale reports whether the commit is known to be of an earlier topic than now. now is the note that would be written
// today.
func (n Note) Stale(now Note) bool {
	none := [16]byte{}
	return n.Topic != none && now.Topic != none && n.Topic != now.Topic && n.Cluster == now.Cluster
}

// Fingerprint returns a short hash of parts, for notes.
func Fingerprint(parts ...string) string {
	sum := crc32.NewIEEE()
	for _, p := range parts {
		_, _ = sum.Write([]byte(p)) // never fails
		_, _ = sum.Write([]byte{0})
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}
