package start

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Note is what this library writes beside every position that it commits, as the commit's metadata:
//
//	esm/1 partitions=12 topic=QO5N3lJ0Sj6o0vGM1r7Wcg.5d1c09aa mapping=0f3a9c51
//
// Words that a version does not know are passed over; the first two are the oldest.
type Note struct {
	// Ours: this library wrote it.
	Ours bool
	// Partitions is the number of partitions that the topic had when the group began to read it, so that any member can
	// tell a partition that was added later (it begins at its beginning) from one that was there and never started
	// (StartingPosition applies). 0: every partition without a commit begins at its beginning.
	Partitions int32
	// Topic is the id of the topic whose offset it is, zero where it is not known: a topic that was deleted and made again
	// under the same name has another one, and offsets of its own.
	Topic [16]byte
	// Cluster is a fingerprint of the bootstrap servers under which that id was seen. Tools that carry a group over to
	// another cluster take its commits' metadata along, and topics have other ids there without having been made again.
	Cluster string
	// Mapping is the fingerprint of the mapping, empty where it has none.
	Mapping string
}

const notePrefix = "esm/1 partitions="

// Text is what a commit carries.
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

// ParseNote is the reverse of Text. What others wrote is not ours.
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

// Stale reports whether the commit is known to be of an earlier topic than now, which a note of today would be of.
func (n Note) Stale(now Note) bool {
	none := [16]byte{}
	return n.Topic != none && now.Topic != none && n.Topic != now.Topic && n.Cluster == now.Cluster
}

// Fingerprint is a short name of what is written, for notes.
func Fingerprint(parts ...string) string {
	sum := crc32.NewIEEE()
	for _, p := range parts {
		_, _ = sum.Write([]byte(p)) // never fails
		_, _ = sum.Write([]byte{0})
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}
