package console

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/filter"
)

// mostSamples is how many records of a topic a page shows.
const mostSamples = 10

type filterView struct {
	Base           string
	ReadOnly       bool
	Pattern, Value string
	Mappings       []rowView
	From           string // the mapping whose topics are sampled
	Problem        string
	Results        []filterResult
}

type filterResult struct {
	Where, Value string
	*filter.Explanation
}

func (c *console) filterPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := filterView{Pattern: q.Get("pattern"), Value: q.Get("value"), From: q.Get("from")}
	if v.Pattern == "" {
		v.Pattern, v.Value = `{"value":{"status":["NEW",{"prefix":"PENDING"}]}}`, `{"status":"PENDING-REVIEW","amount":12}`
	}
	c.renderFilter(w, r, v)
	return nil
}

func (c *console) tryFilter(w http.ResponseWriter, r *http.Request) error {
	v := filterView{Pattern: r.PostForm.Get("pattern"), Value: r.PostForm.Get("value"), From: r.PostForm.Get("from")}
	if v.From == "" {
		v.try("the record", []byte(v.Value))
	} else {
		c.trySamples(r.Context(), &v)
	}
	c.renderFilter(w, r, v)
	return nil
}

func (c *console) renderFilter(w http.ResponseWriter, r *http.Request, v filterView) {
	v.Base, v.ReadOnly = c.o.prefix, c.o.readOnly
	if r.Header.Get("HX-Request") != "" {
		c.part(w, "filter", "results", v)
		return
	}
	if !c.o.readOnly {
		for _, s := range c.sampler.list() {
			v.Mappings = append(v.Mappings, row(s))
		}
	}
	c.render(w, http.StatusOK, "filter", "Try a filter", v)
}

// try explains how the pattern applies to one value.
func (v *filterView) try(where string, value []byte) {
	e, err := filter.Explain(v.Pattern, value)
	if err != nil {
		v.Problem = patternProblem(err)
		return
	}
	shown := string(value)
	switch {
	case value == nil:
		shown = "null (tombstone)"
	case !utf8.Valid(value):
		shown = "(not UTF-8)"
	}
	v.Results = append(v.Results, filterResult{where, shorten(shown), e})
}

func patternProblem(err error) string {
	var texts []string
	for _, e := range joined(err) {
		texts = append(texts, e.Error())
	}
	return filter.InvalidPatternMessage + " " + strings.Join(texts, " ")
}

// trySamples explains the newest records of a mapping's topics. It reads them outside the mapping's group.
func (c *console) trySamples(ctx context.Context, v *filterView) {
	if c.o.readOnly {
		v.Problem = errReadOnly.text
		return
	}
	if _, err := filter.Explain(v.Pattern, nil); err != nil {
		v.Problem = patternProblem(err)
		return
	}
	d, err := c.m.Get(v.From)
	if err != nil {
		v.Problem = "There is no such mapping any more."
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	records, err := c.sampleRecords(ctx, d.Mapping)
	switch {
	case err != nil:
		v.Problem = testView{}.failed(err).text()
	case len(records) == 0:
		v.Problem = "The topics have no records."
	}
	for _, r := range records {
		v.try(esm.TopicPartition{Topic: r.Topic, Partition: r.Partition}.String()+" offset "+number(r.Offset)+", "+stamp(r.Timestamp), r.Value)
	}
}

// sampleRecords reads the newest records of a mapping's topics, at most mostSamples.
func (c *console) sampleRecords(ctx context.Context, m esm.Mapping) ([]*kgo.Record, error) {
	client, err := c.client(ctx, m, kgo.FetchMaxBytes(1<<20), kgo.FetchMaxPartitionBytes(256<<10))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := topicsOf(ctx, admin, m)
	if err != nil {
		return nil, err
	}
	start, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	end, err := admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	from, wanted := make(map[string]map[int32]kgo.Offset), 0
	for _, e := range end.Offsets().Sorted() {
		s, _ := start.Lookup(e.Topic, e.Partition)
		if n := min(e.At-s.Offset, mostSamples-int64(wanted), 3); n > 0 {
			if from[e.Topic] == nil {
				from[e.Topic] = make(map[int32]kgo.Offset)
			}
			from[e.Topic][e.Partition] = kgo.NewOffset().At(e.At - n)
			wanted += int(n)
		}
	}
	if wanted == 0 {
		return nil, nil
	}
	client.AddConsumePartitions(from)
	// Not every offset has a record: compaction and transactions leave gaps. Show what has arrived in time.
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(out) < wanted && ctx.Err() == nil {
		fetches := client.PollRecords(ctx, wanted-len(out))
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			return nil, err
		}
		out = append(out, fetches.Records()...)
	}
	return out, nil
}
