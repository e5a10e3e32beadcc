package destination

import (
	"slices"
	"strconv"
)

// The names under which a failure's message attributes (SQS, SNS), object metadata (S3) and message headers (Kafka)
// say what AWS's documents have no place for.
const (
	// AttributeID is [Failure.ID].
	AttributeID = "esm-id"
	// AttributeMapping is the mapping's UUID.
	AttributeMapping = "esm-mapping"
	// AttributeRedrives is [Failure.Redrives], left out while it is 0.
	AttributeRedrives = "esm-redrives"
	// AttributeOffsets are the exact offsets, see [FormatOffsets]. It is left out where the document has a payload.
	AttributeOffsets = "esm-offsets"
	// AttributeShortened is how many partitions recordsInfo does not name because the document would be too long.
	AttributeShortened = "esm-shortened"
)

// Attribute is one of a failure's attributes.
type Attribute struct{ Name, Value string }

// Attributes returns what goes beside every document of the failure: AttributeID, AttributeMapping where it is known
// and AttributeRedrives where it is not 0.
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

// Message is a document that carries metadata only, with its attributes.
type Message struct {
	Body       []byte
	Attributes []Attribute
	// Failure is what the message is about: the whole failure, or a part.
	Failure *Failure
	// ID is the failure's, Group the key of its first partition: what a FIFO queue or topic calls the deduplication id and
	// the message group.
	ID, Group string
}

// Messages returns the messages of an SQS queue or SNS topic that takes at most limit bytes a message, attributes and
// their names and types included: one, unless not even its exact offsets fit. Then the failure is split, and each part
// is a failure with an id of its own. Too long a document is shortened in its recordsInfo, see [Failure.Metadata].
func (f *Failure) Messages(limit int) []Message {
	attributes := f.Attributes()
	if f.Len() > 0 { // AWS takes no empty attribute
		attributes = append(attributes, Attribute{AttributeOffsets, FormatOffsets(f.Offsets())})
	}
	// Room for AttributeShortened is kept in any case.
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

// attributesLen is what attributes count for at AWS: names, values, and the type "String" of each.
func attributesLen(all []Attribute) int {
	n := 0
	for _, a := range all {
		n += len(a.Name) + len("String") + len(a.Value)
	}
	return n
}
