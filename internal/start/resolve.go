package start

import (
	"context"
	"errors"

	"github.com/esm-go/esm/driver"
)

// Asker asks the brokers, through a member's client.
type Asker struct {
	Consumer driver.Consumer
	Census   *Census
	// Cluster is the fingerprint of the bootstrap servers.
	Cluster string
	// Fingerprint returns the mapping's current fingerprint.
	Fingerprint func() string
}

// Resolve answers a question.
func (a *Asker) Resolve(ctx context.Context, q *Question) {
	switch q.Kind {
	case Begin:
		q.Err = a.resolveStart(ctx, q)
	case Offsets:
		a.findStarts(ctx, q)
	case Move:
		q.Err = a.resolveMove(ctx, q)
	case IDs:
		var topics map[string]driver.Topic
		if topics, q.Err = a.describe(ctx, q.Names); q.Err == nil {
			q.take(topics)
		}
	case Topics:
		q.Err = a.takeCensus(ctx, q.Start)
	case Others:
		q.Err = a.resolveOthers(ctx, q)
	case Seek:
		q.Err = a.resolveSeek(ctx, q)
	}
}

// take records the ids of the topics that exist, and the errors of the others.
func (q *Question) take(topics map[string]driver.Topic) {
	q.IDs = make(map[string][16]byte, len(topics))
	for i, tp := range q.Names {
		t, ok := topics[tp.Topic]
		switch {
		case !ok:
			q.Found[i].Err = &driver.Error{Kind: driver.KindUnknownTopic, TopicPartition: tp, Offset: -1, Err: errors.New("no broker answered for the topic")}
		case t.Err != nil:
			q.Found[i].Err = t.Err
		default:
			q.IDs[tp.Topic] = t.ID
		}
	}
}

// describe returns the partitions' topics, by name.
func (a *Asker) describe(ctx context.Context, names []driver.TopicPartition) (map[string]driver.Topic, error) {
	topics := make(map[string]driver.Topic)
	var ask []string
	for _, tp := range names {
		if _, seen := topics[tp.Topic]; !seen {
			topics[tp.Topic] = driver.Topic{}
			ask = append(ask, tp.Topic)
		}
	}
	described, err := a.Consumer.Topics(ctx, ask...)
	if err != nil {
		return nil, err
	}
	clear(topics)
	for _, t := range described {
		topics[t.Name] = t
	}
	return topics, nil
}

// history is what the group's commits say about one topic.
type history struct {
	// commits is whether the group has some. ours is whether this library made some of them, and initial is what their
	// notes say.
	commits, ours bool
	initial       int32
	// madeAgain is whether some are of a topic of the same name that was deleted since.
	madeAgain bool
}

// resolveStart decides where partitions begin. With a commit of the group they begin there. Without one they begin at
// StartingPosition, if the group has never read the topic or the partition existed when it began to. They begin at the
// beginning if the partition was added later, or the topic was created later or recreated.
func (a *Asker) resolveStart(ctx context.Context, q *Question) error {
	if err := a.takeCensus(ctx, q.Start); err != nil {
		return err
	}
	topics, err := a.describe(ctx, q.Names)
	if err != nil {
		return err
	}
	q.take(topics)
	commits, err := a.commitsOf(ctx, q.Names, topics)
	if err != nil {
		return err
	}
	past := make(map[string]history)
	for tp, c := range commits {
		if c.Err == nil {
			past[tp.Topic] = past[tp.Topic].add(c, Note{Topic: q.IDs[tp.Topic], Cluster: a.Cluster})
		}
	}
	for i, tp := range q.Names {
		f := &q.Found[i]
		f.Committed, f.LeaderEpoch = -1, -1
		if f.Err != nil {
			continue
		}
		f.At, f.Open = q.Start.At, true
		id, h := q.IDs[tp.Topic], past[tp.Topic]
		later := a.Census.later(tp.Topic, id) // whether the mapping asked before this topic existed
		f.Note = Note{Topic: id, Cluster: a.Cluster, Partitions: topics[tp.Topic].Partitions}
		switch {
		case h.ours:
			f.Note.Partitions = h.initial
		case h.commits || h.madeAgain || later:
			f.Note.Partitions = 0
		}
		c, ok := commits[tp]
		old := ok && c.Err == nil && ParseNote(c.Metadata).Stale(f.Note)
		switch {
		case q.Anew[i] || old:
			f.At, f.Note.Partitions, f.Anew = driver.AtEarliest, 0, true
		case ok:
			f.Offset, f.LeaderEpoch, f.Committed, f.Err, f.Open = c.Offset, c.LeaderEpoch, c.Offset, c.Err, false
			f.Noted = c.Metadata == f.Note.Text(a.Fingerprint())
		case h.madeAgain || later || (h.commits || h.ours) && tp.Partition >= f.Note.Partitions:
			f.At = driver.AtEarliest
		}
	}
	return nil
}

// add adds a commit of the topic. now is the note that would be written today.
func (h history) add(c driver.Committed, now Note) history {
	n := ParseNote(c.Metadata)
	switch {
	case n.Stale(now):
		h.madeAgain = true
	case !n.Ours:
		h.commits = true
	case h.ours:
		h.initial = min(h.initial, n.Partitions)
	default:
		h.commits, h.ours, h.initial = true, true, n.Partitions
	}
	return h
}

// commitsOf returns the group's commits for every partition of the named partitions' topics. Partitions without a commit
// are left out; those with an error have it in their place.
func (a *Asker) commitsOf(ctx context.Context, names []driver.TopicPartition, topics map[string]driver.Topic) (map[driver.TopicPartition]driver.Committed, error) {
	var all []driver.TopicPartition
	for topic, t := range topics {
		if t.Err == nil {
			for i := range t.Partitions {
				all = append(all, driver.TopicPartition{Topic: topic, Partition: i})
			}
		}
	}
	for _, tp := range names { // one that the metadata does not show yet
		if t, ok := topics[tp.Topic]; ok && t.Err == nil && tp.Partition >= t.Partitions {
			all = append(all, tp)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	answers, err := a.Consumer.Committed(ctx, all)
	if err != nil {
		return nil, err
	}
	commits := make(map[driver.TopicPartition]driver.Committed, len(answers))
	for _, c := range answers {
		if c.Err != nil || c.Offset >= 0 {
			commits[c.TopicPartition] = c
		}
	}
	return commits, nil
}
