package keda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// startsEvery is how often the starts of the logs are looked up: they move only with retention, and slowly.
const startsEvery = time.Minute

// A reader reads one group's positions. A reading costs one request for the topics, two or three to the
// group's coordinator, and one batched ListOffsets per broker. Once a minute, or when a partition without a
// commit appears, it costs one or two more. A reader is used by one goroutine.
type reader struct {
	cfg    *config
	client *kgo.Client // nil: none
	admin  *kadm.Client

	starts   map[topicPartition]origin
	startsAt time.Time
	ids      map[string][16]byte      // as last seen
	renewed  map[topicPartition]int64 // of recreated topics: the old topic's commit
	consumer bool                     // the group last turned out to use KIP-848
	knows848 *bool                    // whether the brokers support such groups; nil: not asked yet
}

// origin is where a partition's log starts, and where a reader without a commit starts.
type origin struct{ earliest, start int64 }

func newReader(cfg *config) *reader {
	return &reader{cfg: cfg, ids: map[string][16]byte{}, renewed: map[topicPartition]int64{}}
}

// use sets the client, which the reader will close.
func (r *reader) use(client *kgo.Client) { r.client, r.admin = client, kadm.NewClient(client) }

// drop closes the client and keeps what was learned.
func (r *reader) drop() {
	if r.client != nil {
		r.client.Close()
		r.client, r.admin = nil, nil
	}
}

// errNoTopics wraps what is wrong with each topic, or errNoMatch.
var (
	errNoTopics = errors.New("no topic can be read")
	errNoMatch  = errors.New("no topic's name matches")
)

// read makes one reading.
func (r *reader) read(ctx context.Context, now time.Time) (*reading, error) {
	topics, missed, err := r.topics(ctx)
	if err != nil {
		return nil, err
	}
	commits, err := r.commits(ctx)
	if err != nil {
		return nil, err
	}
	out := &reading{at: now, missed: missed}
	for _, topic := range topics {
		for _, p := range topic.partitions {
			out.partitions = append(out.partitions, position{
				topicPartition: topicPartition{topic.name, p}, id: topic.id, committed: -1,
			})
		}
	}
	slices.SortFunc(out.partitions, func(a, b position) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	r.begin(out, topics, commits)
	if err := r.ends(ctx, out); err != nil {
		return nil, err
	}
	if err := r.origins(ctx, out); err != nil {
		return nil, err
	}
	if out.members, out.settled, err = r.members(ctx); err != nil {
		return nil, err
	}
	for _, topic := range topics {
		r.ids[topic.name] = topic.id
	}
	return out, nil
}

// A topicInfo is a topic as the brokers describe it.
type topicInfo struct {
	name       string
	id         [16]byte
	partitions []int32
}

// topics looks up the partitions of the topics. Topics that do not exist are left out, as long as others
// exist. It sends its own request, since kadm may answer from the client's cache, and a recreated topic must
// not go unnoticed.
func (r *reader) topics(ctx context.Context) (topics []topicInfo, missed string, err error) {
	req := kmsg.NewPtrMetadataRequest() // no list means all topics
	if len(r.cfg.patterns) == 0 {
		for _, name := range r.cfg.topics {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = &name
			req.Topics = append(req.Topics, topic)
		}
	}
	resp, err := req.RequestWith(ctx, r.client)
	if err != nil {
		return nil, "", fmt.Errorf("look up the topics: %w", err)
	}
	var problems []error
	missing := slices.Clone(r.cfg.topics)
	for _, t := range resp.Topics {
		if t.Topic == nil || !slices.Contains(r.cfg.topics, *t.Topic) && !r.matches(*t.Topic) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == *t.Topic })
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			problems = append(problems, fmt.Errorf("topic %s: %w", *t.Topic, err))
			continue
		}
		topic := topicInfo{name: *t.Topic, id: t.TopicID}
		for _, p := range t.Partitions {
			topic.partitions = append(topic.partitions, p.Partition)
		}
		topics = append(topics, topic)
	}
	for _, name := range missing {
		problems = append(problems, fmt.Errorf("topic %s: %w", name, kerr.UnknownTopicOrPartition))
	}
	if len(topics) == 0 {
		return nil, "", fmt.Errorf("%w: %w", errNoTopics, cmp.Or(errors.Join(problems...), errNoMatch))
	}
	if len(problems) > 0 {
		missed = errors.Join(problems...).Error()
	}
	return topics, missed, nil
}

func (r *reader) matches(topic string) bool {
	for _, pattern := range r.cfg.patterns {
		if pattern.MatchString(topic) {
			return true
		}
	}
	return false
}

// commits reads the group's commits; a group that does not exist yet has none.
func (r *reader) commits(ctx context.Context) (kadm.OffsetResponses, error) {
	commits, err := r.admin.FetchOffsets(ctx, r.cfg.consumerGroup)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return kadm.OffsetResponses{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the commits of group %s: %w", r.cfg.consumerGroup, err)
	}
	return commits, nil
}

// begin fills in the commits. For partitions without one it decides as the engine does: StartingPosition
// applies to a topic that the group has never read. A partition starts at its beginning if it was added
// later, if other clients than the engine wrote the topic's commits, or if the topic was recreated.
func (r *reader) begin(out *reading, topics []topicInfo, commits kadm.OffsetResponses) {
	initial := map[string]int32{}
	for _, topic := range topics {
		for _, c := range commits[topic.name] {
			if c.Err != nil || c.At < 0 {
				continue
			}
			if n := initialPartitions(c.Metadata); n > 0 {
				initial[topic.name] = max(initial[topic.name], n)
			} else if initial[topic.name] == 0 {
				initial[topic.name] = -1
			}
		}
	}
	for i := range out.partitions {
		p := &out.partitions[i]
		if c, ok := commits.Lookup(p.topic, p.partition); ok {
			p.committed, p.err = c.At, c.Err
		}
		if was, known := r.ids[p.topic]; known && was != p.id && was != ([16]byte{}) {
			r.renewed[p.topicPartition] = p.committed
		}
		old, renewed := r.renewed[p.topicPartition]
		if renewed && old != p.committed {
			delete(r.renewed, p.topicPartition)
			renewed = false
		}
		n := initial[p.topic]
		switch {
		case renewed:
			p.committed = -1
		case p.committed < 0 && (n == 0 || n > p.partition):
			p.unplaced = r.cfg.startingPosition != trimHorizon
		}
	}
}

// initialPartitions parses what the engine writes into a commit's metadata: how many partitions the topic had
// when the group started. It returns 0 for what others wrote.
func initialPartitions(metadata string) int32 {
	text, ok := strings.CutPrefix(metadata, "esm/1 partitions=")
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}
