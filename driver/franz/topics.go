package franz

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// Topics describes topics: those named, or every one that the subscription names or matches.
func (c *consumer) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	if len(names) > 0 {
		topics, _, err := c.describe(ctx, names)
		return topics, err
	}
	if !c.subscription.regex {
		topics, _, err := c.describe(ctx, c.subscription.names)
		return topics, err
	}
	all, _, err := c.describe(ctx, nil)
	if err != nil {
		return nil, err
	}
	topics := slices.DeleteFunc(all, func(t driver.Topic) bool {
		return !c.subscription.matches(t.Name) && !slices.Contains(c.subscription.names, t.Name)
	})
	for _, name := range c.subscription.names {
		if !slices.ContainsFunc(topics, func(t driver.Topic) bool { return t.Name == name }) {
			e := c.classify(kerr.UnknownTopicOrPartition)
			e.TopicPartition = wholeTopic(name)
			topics = append(topics, driver.Topic{Name: name, Err: e})
		}
	}
	return topics, nil
}

// describe requests metadata: of the named topics, in their order, or of all that are not internal. It also returns the
// number of brokers.
func (c *consumer) describe(ctx context.Context, names []string) (topics []driver.Topic, brokers int, err error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(name)
		req.Topics = append(req.Topics, t)
	}
	if len(names) == 0 {
		req.Topics = nil // all
	}
	resp, err := call(ctx, c, func() (*kmsg.MetadataResponse, error) { return req.RequestWith(ctx, c.control) })
	if err != nil {
		return nil, 0, fmt.Errorf("ask for topics: %w", c.classify(err))
	}
	for _, t := range resp.Topics {
		if t.Topic == nil || len(names) == 0 && t.IsInternal {
			continue
		}
		d := driver.Topic{Name: *t.Topic, ID: t.TopicID, Partitions: int32(len(t.Partitions))}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			e := c.classify(err)
			e.TopicPartition = wholeTopic(d.Name)
			d = driver.Topic{Name: d.Name, Err: e}
		}
		topics = append(topics, d)
	}
	slices.SortFunc(topics, func(a, b driver.Topic) int { return strings.Compare(a.Name, b.Name) })
	if len(names) > 0 {
		byName := make(map[string]driver.Topic, len(topics))
		for _, t := range topics {
			byName[t.Name] = t
		}
		topics = topics[:0]
		for _, name := range names {
			if t, ok := byName[name]; ok {
				topics = append(topics, t)
			}
		}
	}
	return topics, len(resp.Brokers), nil
}
