package redrive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/filter"
)

// Filter chooses failures; the zero Filter chooses all. Failures that it does not choose stay where they are. A failure
// with several records is chosen as a whole if one of them matches Keys and Patterns.
type Filter struct {
	// Conditions are the conditions to choose; none means all.
	Conditions []destination.Condition
	// Since (inclusive) and Until (exclusive) bound the time at which the records were given up; zero means no bound.
	Since, Until time.Time
	// Keys are the record keys to choose; none means all.
	Keys [][]byte
	// Patterns have the syntax of FilterCriteria, which is EventBridge's. One of them must match a record's value.
	Patterns []string
	// MaxRedrives excludes failures that have already been brought back that many times; 0 means no limit.
	MaxRedrives int
}

// ID returns a short text that is the same for equal filters, and empty for a filter that chooses all. It is part of
// the default group of a topic.
func (f *Filter) ID() string {
	if len(f.Conditions) == 0 && f.Since.IsZero() && f.Until.IsZero() && len(f.Keys) == 0 && len(f.Patterns) == 0 && f.MaxRedrives == 0 {
		return ""
	}
	text, err := json.Marshal(f)
	if err != nil {
		return "" // a time past the year 9999
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// compiled is a Filter ready for use.
type compiled struct {
	Filter

	set     *filter.Set
	scratch filter.Scratch
}

func (f *Filter) compile() (*compiled, error) {
	c := &compiled{Filter: *f}
	if len(f.Patterns) > 0 {
		set, err := filter.Compile(f.Patterns)
		if err != nil {
			return nil, err
		}
		c.set = set
	}
	return c, nil
}

// takesDocument reports whether the filter chooses a failure by what every document contains.
func (c *compiled) takesDocument(i *Item) bool {
	at := i.Document.Time
	return (len(c.Conditions) == 0 || slices.Contains(c.Conditions, i.Document.Condition)) &&
		(c.Since.IsZero() || !at.Before(c.Since)) && (c.Until.IsZero() || at.Before(c.Until)) &&
		(c.MaxRedrives == 0 || i.Redrives < c.MaxRedrives)
}

// needsRecords reports whether the filter looks at records.
func (c *compiled) needsRecords() bool { return len(c.Keys) > 0 || c.set != nil }

// takesRecords reports whether the filter chooses a failure by its records.
func (c *compiled) takesRecords(i *Item) bool {
	return !c.needsRecords() || slices.ContainsFunc(i.Records, func(r event.KafkaRecord) bool {
		return (len(c.Keys) == 0 || slices.ContainsFunc(c.Keys, func(k []byte) bool { return r.Key != nil && bytes.Equal(k, r.Key) })) &&
			(c.set == nil || c.set.Match(&c.scratch, r.Value) == filter.Matched)
	})
}
