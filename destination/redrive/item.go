package redrive

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// Item is a failure that a Source read.
type Item struct {
	// Where is the failure's location: topic-partition@offset, a message ID or an object's key.
	Where string
	// ID is the failure's ID, empty if the source has none besides the document.
	ID string
	// Redrives counts how often the failure was brought back and failed again.
	Redrives int
	// Document is the parsed document; nil if Err is set.
	Document *destination.Document
	// Offsets are the failure's records by partition. Exact is false if they are ranges that may contain other records.
	Offsets []destination.Offsets
	Exact   bool
	// Records are the records at Offsets, in order. If the document does not contain them, Records is nil until they
	// have been read from the source topic.
	Records []event.KafkaRecord
	// Gone counts the records at Offsets that the source topic no longer has.
	Gone int
	// Err says why this is not a readable failure.
	Err error

	token any // owned by the source
}

// Len returns the number of records.
func (i *Item) Len() int {
	n := 0
	for k := range i.Offsets {
		n += i.Offsets[k].Len()
	}
	return n
}

// read fills an item from a document and its attributes.
func (i *Item) read(document []byte, attributes map[string]string) {
	i.ID = attributes[destination.AttributeID]
	if n, err := strconv.Atoi(attributes[destination.AttributeRedrives]); err == nil && n > 0 {
		i.Redrives = n
	}
	if i.Document, i.Err = destination.Parse(document); i.Err != nil {
		return
	}
	if records := i.Document.Event.Records; records != nil {
		f := destination.Failure{Event: i.Document.Event}
		i.Offsets, i.Exact = f.Offsets(), true
		for _, o := range i.Offsets {
			i.Records = append(i.Records, records[o.Key()]...)
		}
		return
	}
	if text, ok := attributes[destination.AttributeOffsets]; ok {
		i.Offsets, i.Err = destination.ParseOffsets(text)
		i.Exact = true
		return
	}
	n := 0
	for key, run := range i.Document.Ranges {
		cut := strings.LastIndexByte(key, '-')
		partition, err := strconv.ParseUint(key[cut+1:], 10, 31)
		if cut < 1 || err != nil {
			i.Err = &strconv.NumError{Func: "redrive", Num: key, Err: strconv.ErrSyntax}
			return
		}
		o := destination.Offsets{Topic: key[:cut], Partition: int32(partition), Runs: []destination.OffsetRun{run}}
		i.Offsets = append(i.Offsets, o)
		n += o.Len()
	}
	slices.SortFunc(i.Offsets, func(a, b destination.Offsets) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	i.Exact = n == i.Document.BatchSize // no gap, and recordsInfo names every partition
}
