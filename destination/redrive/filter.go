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

// Filter chooses failures; the zero Filter takes all. What it does not choose stays where it is. A failure of several
// records is taken whole where one of them suits Keys and Patterns.
type Filter struct {
	// Conditions are the conditions to take, none for all.
	Conditions []destination.Condition
	// Since and Until bound the time at which the records were given up; zero for no bound. Since is included.
	Since, Until time.Time
	// Keys are the record keys to take, none for all.
	Keys [][]byte
	// Patterns are those of FilterCriteria, in EventBridge's syntax: one of them has to match a record's value.
	Patterns []string
	// MaxRedrives is how often a failure may have come back to be taken, 0 for any number of times.
	MaxRedrives int
}

// ID is short and the same for the same filter, empty for one that takes all. It names the progress of a topic.
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

// takesDocument goes by what every failure has.
func (c *compiled) takesDocument(i *Item) bool {
	at := i.Document.Time
	return (len(c.Conditions) == 0 || slices.Contains(c.Conditions, i.Document.Condition)) &&
		(c.Since.IsZero() || !at.Before(c.Since)) && (c.Until.IsZero() || at.Before(c.Until)) &&
		(c.MaxRedrives == 0 || i.Redrives < c.MaxRedrives)
}

// needsRecords says whether the filter looks at records.
func (c *compiled) needsRecords() bool { return len(c.Keys) > 0 || c.set != nil }

// takesRecords goes by the records.
func (c *compiled) takesRecords(i *Item) bool {
	return !c.needsRecords() || slices.ContainsFunc(i.Records, func(r event.KafkaRecord) bool {
		return (len(c.Keys) == 0 || slices.ContainsFunc(c.Keys, func(k []byte) bool { return r.Key != nil && bytes.Equal(k, r.Key) })) &&
			(c.set == nil || c.set.Match(&c.scratch, r.Value) == filter.Matched)
	})
}
