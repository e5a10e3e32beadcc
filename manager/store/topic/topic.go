// Package topic keeps a manager's mappings in a compacted topic of the user's own cluster, for a service of several
// replicas: each follows the topic, and any of them takes a write.
//
// The topic has one partition, and a record a mapping: its UUID as the key, the document of store.Encode as the value,
// no value for a mapping that was deleted. Writes are transactions under one transactional id, which the broker gives to
// one producer at a time: a replica that wants to write takes the id, and whoever had it before is fenced off, in the
// middle of a write too. Having taken it, the replica reads the topic to its end before it decides, so that no write
// goes over one that its writer had not seen. The replica that wrote last writes again without taking the id anew.
//
// A write is durable when the topic's in-sync replicas have it; losing any replica of the service loses nothing. Make the
// topic with a replication factor of 3 and min.insync.replicas=2, or let Open make it (WithReplicationFactor).
//
// ACLs: on the topic Describe, Read, Write and DescribeConfigs, and Create where Open is to make it; on the
// transactional id, which is "esm." and the topic's name, Describe and Write.
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

// markKey is the key of records that say nothing but where the topic's end was.
const markKey = "mark"

// Option changes how a Store works.
type Option interface{ apply(*Store) }

type optionFunc func(*Store)

func (f optionFunc) apply(s *Store) { f(s) }

// WithClient sets options of the Kafka clients: seed brokers, TLS, SASL.
func WithClient(opts ...kgo.Opt) Option {
	return optionFunc(func(s *Store) { s.client = append(s.client, opts...) })
}

// WithReplicationFactor sets the replication factor of a topic that Open makes; default that of the brokers.
func WithReplicationFactor(n int16) Option { return optionFunc(func(s *Store) { s.replication = n }) }

// WithLogger sets the logger; default slog.Default().
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(s *Store) {
		if l != nil {
			s.log = l
		}
	})
}

// Store is a store.Store in a topic. Open starts it, Close ends it.
type Store struct {
	topic       string
	client      []kgo.Opt
	replication int16
	log         *slog.Logger
	reader      *kgo.Client
	stop        context.CancelFunc
	following   sync.WaitGroup
	writing     chan struct{} // holds one: who writes
	writer      *kgo.Client   // of whoever writes; nil while another replica has the transactional id, for all we know

	mu       sync.Mutex
	table    *table.Table
	position int64 // the offset after the last record that was read
	written  int64 // the offset of the record whose commit is under way
	seen     bool  // and whether it has been read, which says that it is committed
	problems map[string]error
	news     []store.Problem
	closed   bool
}

// Open connects to the cluster, makes the topic where it is missing, and reads it. It returns when everything that the
// topic held at the time of the call is known, or when ctx ends.
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
	reader.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}) // now that it is there
	following, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.following.Go(func() { s.follow(following) })
	if err := s.readToEnd(ctx, reader); err != nil {
		return nil, errors.Join(fmt.Errorf("topic: %s cannot be read to its end: %w", topic, err), s.Close())
	}
	return s, nil
}

// prepare makes the topic where it is missing, and refuses one that cannot keep mappings.
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

// Close ends the Store.
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

// take takes in a record.
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

// problem keeps, or forgets, that the record of a mapping cannot be read.
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

// Watch tells what is and what changes.
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
