package destination

import (
	"slices"
	"strconv"
)

// The names of the message attributes (SQS, SNS), object metadata (S3) and message headers (Kafka) that carry what
// AWS's documents do not.
const (
	// AttributeID is [Failure.ID].
	AttributeID = "esm-id"
	// AttributeMapping is the mapping's UUID.
	AttributeMapping = "esm-mapping"
	// AttributeRedrives is [Failure.Redrives]. It is left out if that is 0.
	AttributeRedrives = "esm-redrives"
	// AttributeOffsets holds the exact offsets, see [FormatOffsets]. It is left out if the document has a payload.
	AttributeOffsets = "esm-offsets"
	// AttributeShortened is the number of partitions that recordsInfo omits because the document would be too long.
	AttributeShortened = "esm-shortened"
)

// Attribute is one of a failure's attributes.
type Attribute struct{ Name, Value string }

// Attributes returns the attributes that accompany every document of the failure: AttributeID, AttributeMapping if it
// is known, and AttributeRedrives if it is not 0.
func (f *Failure) Attributes() []Attribute {
	all := []Attribute{{AttributeID, f.ID()}}
	if f.MappingUUID != "" {
		all = append(all, Attribute{AttributeMapping, f.MappingUUID})
	}
	if n := f.Redrives(); n > 0 {
		all = append(all, Attribute{AttributeRedrives, strconv.Itoa(n)})
	}
	return all
}

// Message is a metadata-only document with its attributes.
type Message struct {
	Body       []byte
	Attributes []Attribute
	// Failure is what the message reports: the whole failure or a part of it.
	Failure *Failure
	// ID is the failure's ID, Group the key of its first partition: the deduplication ID and the message group of a
	// FIFO queue or topic.
	ID, Group string
}

// Messages returns the messages for an SQS queue or SNS topic that accepts at most limit bytes per message, including
// the names, types and values of its attributes. It is one message, unless not even the exact offsets fit. Then the
// failure is split, and each part is a failure with its own ID. If a document is too long, its recordsInfo is
// shortened, see [Failure.Metadata].
func (f *Failure) Messages(limit int) []Message {
	attributes := f.Attributes()
	if f.Len() > 0 { // AWS rejects an empty attribute
		attributes = append(attributes, Attribute{AttributeOffsets, FormatOffsets(f.Offsets())})
	}
	// Reserve room for AttributeShortened in any case.
	room := limit - attributesLen(append(slices.Clip(attributes), Attribute{AttributeShortened, "1234567890"}))
	body, left := f.Metadata(max(room, 1))
	if len(body) > room {
		if a, b, ok := f.Split(); ok {
			return append(a.Messages(limit), b.Messages(limit)...)
		}
	}
	if left > 0 {
		attributes = append(attributes, Attribute{AttributeShortened, strconv.Itoa(left)})
	}
	group := ""
	if keys := f.Partitions(); len(keys) > 0 {
		group = keys[0]
	}
	return []Message{{Body: body, Attributes: attributes, Failure: f, ID: f.ID(), Group: group}}
}

// attributesLen returns the size of attributes as AWS counts it: names, values, and the type "String" of each.
func attributesLen(all []Attribute) int {
	n := 0
	for _, a := range all {
		n += len(a.Name) + len("String") + len(a.Value)
	}
	return n
}
