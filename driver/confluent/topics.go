//go:build cgo

package confluent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// topicSet is a subscription: names, and patterns that begin with "^".
type topicSet struct {
	names    []string
	patterns []*regexp.Regexp
}

// compileTopics parses Config.Topics. librdkafka treats patterns as POSIX extended expressions. Those that Go cannot
// parse are refused, so that Topics always describes what is read.
func compileTopics(topics []string) (topicSet, error) {
	var set topicSet
	if len(topics) == 0 {
		return set, invalidConfig("bad configuration", errors.New("Topics is empty: name at least one"))
	}
	for _, topic := range topics {
		if !strings.HasPrefix(topic, "^") {
			set.names = append(set.names, topic)
			continue
		}
		pattern, err := regexp.CompilePOSIX(topic)
		if err != nil {
			return set, invalidConfig(fmt.Sprintf("the topic pattern %q is not a regular expression", topic), err)
		}
		set.patterns = append(set.patterns, pattern)
	}
	return set, nil
}

// matching returns the patterns' matches among names, in order.
func (s topicSet) matching(names []string) []string {
	var list []string
	for _, name := range names {
		if slices.ContainsFunc(s.patterns, func(p *regexp.Regexp) bool { return p.MatchString(name) }) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Topics describes topics, with their IDs if the broker has any (Kafka 2.8).
func (c *consumer) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	if len(names) == 0 {
		subscribed, err := c.subscribed(ctx)
		if err != nil || len(subscribed) == 0 {
			return nil, err
		}
		names = subscribed
	}
	if !c.gate.enter() {
		return nil, errClosed
	}
	defer c.gate.leave()
	return c.describe(ctx, names)
}

// describe asks a broker about topics. The caller is inside the gate.
func (c *consumer) describe(ctx context.Context, names []string) ([]driver.Topic, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	asked := slices.Compact(slices.Sorted(slices.Values(names)))
	limited, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result, err := c.admin.DescribeTopics(limited, kafka.NewTopicCollectionOfTopicNames(asked),
		kafka.SetAdminRequestTimeout(timeLeft(limited)))
	if err != nil {
		return nil, fmt.Errorf("confluent: describing %d topics: %w", len(asked), requestError(ctx, limited, err))
	}
	byName := make(map[string]kafka.TopicDescription, len(result.TopicDescriptions))
	for _, description := range result.TopicDescriptions {
		byName[description.Name] = description
	}
	list := make([]driver.Topic, len(names))
	for i, name := range names {
		list[i] = topicFrom(name, byName)
	}
	return list, nil
}

func topicFrom(name string, descriptions map[string]kafka.TopicDescription) driver.Topic {
	topic := driver.Topic{Name: name}
	at := driver.TopicPartition{Topic: name, Partition: -1}
	description, ok := descriptions[name]
	switch {
	case !ok:
		topic.Err = &driver.Error{Kind: driver.KindOther, TopicPartition: at, Offset: -1, Err: errors.New("the broker did not answer")}
	case description.Error.Code() != kafka.ErrNoError:
		topic.Err = classed(at, description.Error)
	default:
		topic.Partitions = int32(len(description.Partitions))
		binary.BigEndian.PutUint64(topic.ID[:8], uint64(description.TopicID.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(topic.ID[8:], uint64(description.TopicID.GetLeastSignificantBits()))
	}
	return topic
}

// subscribed returns the topics that the subscription currently names or matches.
func (c *consumer) subscribed(ctx context.Context) ([]string, error) {
	if len(c.topics.patterns) == 0 {
		return c.topics.names, nil
	}
	type outcome struct {
		metadata *kafka.Metadata
		err      error
	}
	result, err := background(ctx, c.gate, func() outcome {
		metadata, err := c.client.GetMetadata(nil, true, int(timeLeft(ctx).Milliseconds()))
		return outcome{metadata, err}
	})
	if err == nil {
		err = result.err
	}
	if err != nil {
		return nil, fmt.Errorf("confluent: listing the topics: %w", wrapped(err))
	}
	all := make([]string, 0, len(result.metadata.Topics))
	for name := range result.metadata.Topics {
		all = append(all, name)
	}
	return slices.Compact(slices.Sorted(slices.Values(append(c.topics.matching(all), c.topics.names...)))), nil
}
