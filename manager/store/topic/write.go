package topic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/esm-go/esm/manager/store"
)

const (
	// deliveryTimeout bounds how long writing a record may take.
	deliveryTimeout = 20 * time.Second
	// transactionTimeout bounds how long a writer that died during a write blocks readers, if no other replica takes
	// the transactional ID.
	transactionTimeout = 10 * time.Second
	// writeTimeout bounds a write with all its attempts.
	writeTimeout = 45 * time.Second
)

// Put stores a definition.
func (s *Store) Put(ctx context.Context, d store.Definition, since store.Revision) (store.Revision, error) {
	document, err := store.Encode(d)
	if err != nil {
		return 0, err
	}
	stored, err := store.Decode(document)
	if err != nil {
		return 0, err
	}
	return s.write(ctx, stored.Mapping.UUID, document, since)
}

// Delete removes a definition.
func (s *Store) Delete(ctx context.Context, uuid string, since store.Revision) (store.Revision, error) {
	return s.write(ctx, strings.ToLower(uuid), nil, since)
}

func (s *Store) write(ctx context.Context, uuid string, document []byte, since store.Revision) (store.Revision, error) {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for failures := 0; ; failures++ {
		if err := s.check(uuid, document, since); err != nil {
			return 0, err
		}
		var err error
		if s.writer == nil {
			if err = s.takeOver(ctx); err == nil {
				continue // other writes are known now: check again
			}
			err = fmt.Errorf("topic: the transactional id of %s cannot be taken: %w", s.topic, err)
		} else {
			var r store.Revision
			if r, err = s.commit(ctx, uuid, document); err == nil {
				return r, nil
			}
		}
		// Nothing was written, unless the error says that the outcome is unknown.
		if errors.Is(err, store.ErrUnknownOutcome) || isPermanent(err) || !pause(ctx, failures) {
			return 0, err
		}
	}
}

// pause waits a random time before a retry: otherwise two replicas could keep taking the ID from each other. It returns
// false when ctx has ended.
func pause(ctx context.Context, failures int) bool {
	timer := time.NewTimer(rand.N(min(10*time.Millisecond<<min(failures, 10), time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// check rejects a write if what its caller decided by has changed.
func (s *Store) check(uuid string, document []byte, since store.Revision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := s.table.Revision(); {
	case s.closed:
		return errClosed
	case since != now:
		return fmt.Errorf("topic: %w: it is at revision %d, not %d", store.ErrConflict, now, since)
	case s.problems[uuid] != nil:
		return fmt.Errorf("topic: the record of %s is left as it is: %w", uuid, s.problems[uuid])
	case document == nil && s.table.Row(uuid).Document == nil:
		return fmt.Errorf("topic: %w: there is no %s", store.ErrConflict, uuid)
	}
	return nil
}

// takeOver makes this replica the writer, and reads what the previous writer wrote.
func (s *Store) takeOver(ctx context.Context) (err error) {
	writer, err := kgo.NewClient(append(slices.Clip(s.client),
		kgo.TransactionalID("esm."+s.topic), kgo.TransactionTimeout(transactionTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(deliveryTimeout), kgo.RetryTimeout(deliveryTimeout), kgo.ProducerLinger(0),
		// With the transactions of Kafka 4 (KIP-890, part 2), kgo 1.22.3 sometimes aborts a new client's first
		// transaction although a produce succeeded. It only logs "no produce succeeded in this transaction" and returns
		// nil.
		kgo.MaxVersions(kversion.V3_9_0()),
	)...)
	if err != nil {
		return err
	}
	s.writer = writer
	defer func() {
		if err != nil {
			s.dropWriter()
		}
	}()
	// The broker aborts the transaction that the previous writer left open, and rejects all its further requests.
	if _, _, err := writer.ProducerID(ctx); err != nil {
		return err
	}
	if err := writer.BeginTransaction(); err != nil {
		return err
	}
	offset, err := s.produce(ctx, writer, markKey, nil)
	if err != nil {
		return fmt.Errorf("nothing can be written: %w", err)
	}
	if err := writer.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("nothing can be committed: %w", err)
	}
	if err := s.await(ctx, offset+1); err != nil {
		return fmt.Errorf("what was written at offset %d cannot be read: %w", offset, err)
	}
	return nil
}

// commit writes a record in a transaction. Unless its error wraps store.ErrUnknownOutcome, nothing was written, for
// example because another replica has taken the transactional ID.
func (s *Store) commit(ctx context.Context, uuid string, document []byte) (store.Revision, error) {
	writer := s.writer
	if err := writer.BeginTransaction(); err != nil {
		s.dropWriter()
		return 0, fmt.Errorf("topic: %w", err)
	}
	offset, err := s.produce(ctx, writer, uuid, document)
	if err != nil { // without a commit the record never becomes visible
		s.dropWriter()
		return 0, fmt.Errorf("topic: %w", err)
	}
	s.mu.Lock()
	s.written, s.seen = offset, false // no reader gets the record before it is committed
	s.mu.Unlock()
	if err := writer.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return s.resolve(ctx, offset, err)
	}
	// The write is durable, even if ctx ends now.
	_ = s.await(ctx, offset+1)
	return store.Revision(offset + 1), nil
}

// resolve finds out whether a failed commit took effect: a replica that holds the transactional ID and has read to the
// end has either seen the record or knows that it will never be committed.
func (s *Store) resolve(ctx context.Context, offset int64, cause error) (store.Revision, error) {
	s.dropWriter()
	for failures := 0; ; failures++ {
		err := s.takeOver(ctx)
		if err == nil {
			break
		}
		if isPermanent(err) || !pause(ctx, failures) {
			return 0, fmt.Errorf("topic: %w: %w", store.ErrUnknownOutcome, errors.Join(cause, err))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen {
		return store.Revision(offset + 1), nil
	}
	return 0, fmt.Errorf("topic: the write was not committed: %w", cause)
}

// produce writes a record and returns its offset.
func (s *Store) produce(ctx context.Context, client *kgo.Client, key string, value []byte) (int64, error) {
	r, err := client.ProduceSync(ctx, &kgo.Record{Topic: s.topic, Key: []byte(key), Value: value}).First()
	if err != nil {
		return 0, err
	}
	return r.Offset, nil
}

// readToEnd returns when everything that is in the topic now has been read. It writes a record that marks the end:
// offsets alone do not show whether a record is still to come, because compaction removes records.
func (s *Store) readToEnd(ctx context.Context, client *kgo.Client) error {
	offset, err := s.produce(ctx, client, markKey, nil)
	if err != nil {
		return err
	}
	return s.await(ctx, offset+1)
}

func (s *Store) dropWriter() {
	if s.writer != nil {
		s.writer.Close()
		s.writer = nil
	}
}

// isPermanent reports whether a retry would fail with the same error.
func isPermanent(err error) bool {
	for _, e := range []error{
		errClosed, kgo.ErrClientClosed, kerr.TransactionalIDAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.SaslAuthenticationFailed, kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidTransactionTimeout, kerr.UnsupportedVersion,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
