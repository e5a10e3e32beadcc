// Package topic stores a manager's mappings in a compacted topic on the user's own cluster, for a service with several
// replicas: each replica follows the topic, and any of them can write.
//
// The topic has one partition. A mapping is a record with its UUID as the key and the document of store.Encode as the
// value; a deleted mapping has no value. Writes are transactions under one transactional ID, which the broker grants to
// one producer at a time: a replica that wants to write takes the ID, which fences off the previous holder, even in the
// middle of a write. It then reads the topic to its end before it decides, so that no write replaces one that its
// writer had not seen. The replica that wrote last can write again without taking the ID anew.
//
// A write is durable when the topic's in-sync replicas have it; losing replicas of the service loses nothing. Create
// the topic with a replication factor of 3 and min.insync.replicas=2, or let Open create it (WithReplicationFactor).
//
// ACLs: Describe, Read, Write and DescribeConfigs on the topic, and Create if Open is to create it; Describe and Write
// on the transactional ID, which is "esm." and the topic's name.
package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/internal/table"
)

// markKey is the key of records that only mark the topic's end.
const markKey = "mark"

// Option configures a Store.
type Option interface{ apply(*Store) }

type optionFunc func(*Store)

func (f optionFunc) apply(s *Store) { f(s) }

// WithClient sets options for the Kafka clients: seed brokers, TLS, SASL.
func WithClient(opts ...kgo.Opt) Option {
	return optionFunc(func(s *Store) { s.client = append(s.client, opts...) })
}

// WithReplicationFactor sets the replication factor of a topic that Open creates; default that of the brokers.
func WithReplicationFactor(n int16) Option { return optionFunc(func(s *Store) { s.replication = n }) }

// WithLogger sets the logger; default slog.Default().
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *Store) {
		if l != nil {
			s.log = l
		}
	})
}

// Store is a store.Store in a topic. Create it with Open and end it with Close.
type Store struct {
	topic       string
	client      []kgo.Opt
	replication int16
	log         *slog.Logger
	reader      *kgo.Client
	stop        context.CancelFunc
	following   sync.WaitGroup
	writing     chan struct{} // holds one element: the right to write
	writer      *kgo.Client   // owned by the goroutine that writes; nil while another replica may hold the transactional ID

	mu       sync.Mutex
	table    *table.Table
	position int64 // the offset after the last record read
	written  int64 // the offset of the record whose commit is in flight
	seen     bool  // whether that record has been read, which means that it is committed
	problems map[string]error
	news     []store.Problem
	closed   bool
}

// Open connects to the cluster, creates the topic if needed, and reads it. It returns when everything that the topic
// contained at the time of the call is known, or when ctx ends.
func Open(ctx context.Context, topic string, opts ...Option) (*Store, error) {
	s := &Store{topic: topic, replication: -1, log: slog.Default(), writing: make(chan struct{}, 1), table: table.New(), written: -1, problems: make(map[string]error)}
	for _, opt := range opts {
		opt.apply(s)
	}
	reader, err := kgo.NewClient(append(slices.Clip(s.client),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(deliveryTimeout),
		kgo.MetadataMinAge(100*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("topic: %w", err)
	}
	s.reader = reader
	if err := s.prepare(ctx); err != nil {
		reader.Close()
		return nil, err
	}
	reader.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}) // now that the topic exists
	following, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.following.Go(func() { s.follow(following) })
	if err := s.readToEnd(ctx, reader); err != nil {
		return nil, errors.Join(fmt.Errorf("topic: %s cannot be read to its end: %w", topic, err), s.Close())
	}
	return s, nil
}

// prepare creates the topic if needed, and rejects a topic that cannot hold mappings.
func (s *Store) prepare(ctx context.Context) error {
	admin := kadm.NewClient(s.reader)
	compact := "compact"
	_, err := admin.CreateTopic(ctx, 1, s.replication, map[string]*string{"cleanup.policy": &compact}, s.topic)
	exists := errors.Is(err, kerr.TopicAlreadyExists)
	if err != nil && !exists && !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return fmt.Errorf("topic: %s cannot be made: %w", s.topic, err)
	}
	for {
		topics, err := admin.ListTopics(ctx, s.topic)
		if err == nil {
			err = topics[s.topic].Err
		}
		retriable := errors.Is(err, kerr.UnknownTopicOrPartition) && !exists || errors.Is(err, kerr.LeaderNotAvailable)
		if err != nil && !retriable {
			return fmt.Errorf("topic: %s: %w", s.topic, err)
		}
		if err == nil {
			if n := len(topics[s.topic].Partitions); n != 1 {
				return fmt.Errorf("topic: %s has %d partitions: mappings need a topic with one, which orders their changes", s.topic, n)
			}
			break
		}
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("topic: %s: %w", s.topic, errors.Join(err, ctx.Err()))
		}
	}
	configs, err := admin.DescribeTopicConfigs(ctx, s.topic)
	if err != nil {
		return fmt.Errorf("topic: the configuration of %s cannot be read: %w", s.topic, err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" && c.Value != nil && strings.Contains(*c.Value, "delete") {
			return fmt.Errorf("topic: %s has cleanup.policy=%s, which would delete mappings after a while: make it compact", s.topic, *c.Value)
		}
	}
	return nil
}

// Close closes the Store.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.stop()
	s.following.Wait()
	s.reader.Close()
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.dropWriter()
	return nil
}

// follow reads the topic until ctx ends.
func (s *Store) follow(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := s.reader.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) {
			if ctx.Err() == nil {
				s.log.Warn("the topic of mappings cannot be read; trying again", "topic", s.topic, "err", err)
			}
		})
		fetches.EachRecord(s.take)
	}
}

// take applies a record.
func (s *Store) take(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = r.Offset + 1
	s.seen = s.seen || r.Offset == s.written
	defer s.table.Tell()
	uuid := string(r.Key)
	if uuid == markKey {
		return
	}
	revision := store.Revision(r.Offset + 1)
	if r.Value == nil {
		s.problem(uuid, nil)
		s.table.Set(uuid, nil, revision)
		return
	}
	d, err := store.Decode(r.Value)
	if err == nil && d.Mapping.UUID != uuid {
		err = fmt.Errorf("the key is %q and the UUID %q", uuid, d.Mapping.UUID)
	}
	s.problem(uuid, err)
	if err == nil {
		s.table.Set(uuid, r.Value, revision)
	}
}

// problem records, or clears, that the record of a mapping cannot be read.
func (s *Store) problem(uuid string, err error) {
	if err == nil && s.problems[uuid] == nil {
		return
	}
	if s.problems[uuid] = err; err == nil {
		delete(s.problems, uuid)
	}
	s.news = append(s.news, store.Problem{Source: s.topic + " " + uuid, Err: err})
}

// await returns when everything before an offset has been read.
func (s *Store) await(ctx context.Context, offset int64) error {
	for {
		s.mu.Lock()
		known, changed, closed := s.position >= offset, s.table.Changed(), s.closed
		s.mu.Unlock()
		switch {
		case known:
			return nil
		case closed:
			return errClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errClosed = errors.New("topic: the store is closed")

// List returns all definitions that this replica has read.
func (s *Store) List(ctx context.Context) ([]store.Definition, store.Revision, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.List()
}

// Watch reports the current content and every change.
func (s *Store) Watch(ctx context.Context, told func(store.Change)) error {
	var seen store.Revision
	reported := 0
	for first := true; ; first = false {
		s.mu.Lock()
		var changes []store.Change
		for _, p := range s.news[reported:] {
			changes = append(changes, store.Change{Problem: &p})
		}
		more, err := s.table.Since(seen, first)
		changed, closed := s.table.Changed(), s.closed
		seen, reported = s.table.Revision(), len(s.news)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		for _, c := range append(changes, more...) {
			told(c)
		}
		if first {
			told(store.Change{Revision: seen})
		}
		if closed {
			return errClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

var _ store.Store = (*Store)(nil)
