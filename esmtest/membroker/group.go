package membroker

import (
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
)

// group is a consumer group and its coordinator. The broker's mutex guards it.
//
// The coordinator decides who should own each partition (target). A member that owns a partition it should no
// longer own gives it back in its next Poll, after its Listener has returned. The new owner then takes the
// partition in its next Poll. No member waits for another: that is cooperative rebalancing.
type group struct {
	name       string
	generation int32
	// members are in the order in which they joined.
	members []*member
	owner   assignment
	target  assignment
	// bounce names partitions that their owner gives back even if it will get them again.
	bounce  map[driver.TopicPartition]bool
	commits map[driver.TopicPartition]driver.Committed
	// changes counts events that may give a member something to do; see touch.
	changes uint64
	// refresh fires when the members' metadata is old enough for them to notice a change of the topics.
	refresh *time.Timer
}

// member is one place in a group.
type member struct {
	id, instance string
	// c is nil while a static member is away.
	c *consumer
	// away ends the membership of a static member that does not come back.
	away *time.Timer
}

// touch makes every member check the group in its next Poll. The caller holds mu.
func (g *group) touch() {
	g.changes++
	for _, m := range g.members {
		if m.c != nil {
			m.c.signal()
		}
	}
}

// release ends a member's ownership of partitions, or of all if none is named. The caller holds mu.
func (g *group) release(m *member, partitions ...driver.TopicPartition) {
	for tp, o := range g.owner {
		if o == m && (len(partitions) == 0 || slices.Contains(partitions, tp)) {
			delete(g.owner, tp)
			delete(g.bounce, tp)
		}
	}
	g.touch()
}

// groupOf returns a group, and creates it if necessary. The caller holds mu.
func (b *Broker) groupOf(name string) *group {
	g := b.groups[name]
	if g == nil {
		g = &group{
			name: name, owner: assignment{}, target: assignment{},
			bounce: make(map[driver.TopicPartition]bool), commits: make(map[driver.TopicPartition]driver.Committed),
		}
		b.groups[name] = g
	}
	return g
}

// join makes a consumer a member. A static member takes the place of its instance id. The caller holds mu.
func (b *Broker) join(c *consumer) {
	g := c.group
	b.memberIDs++
	id := fmt.Sprintf("%s-%d", c.cfg.ClientID, b.memberIDs)
	if c.cfg.InstanceID != "" {
		for _, m := range g.members {
			if m.instance != c.cfg.InstanceID {
				continue
			}
			if m.away != nil {
				m.away.Stop()
				m.away = nil
			}
			if old := m.c; old != nil {
				old.fence(m)
			}
			m.id, m.c, c.member = id, c, m
			g.touch()
			return
		}
	}
	c.member = &member{id: id, instance: c.cfg.InstanceID, c: c}
	g.members = append(g.members, c.member)
	b.rebalance(g, nil)
}

// leave ends a membership and its ownership. The caller holds mu.
func (b *Broker) leave(g *group, m *member) {
	i := slices.Index(g.members, m)
	if i < 0 {
		return
	}
	g.members = slices.Delete(g.members, i, i+1)
	if m.away != nil {
		m.away.Stop()
		m.away = nil
	}
	g.release(m)
	b.rebalance(g, nil)
}

// rebalance recomputes the target assignment. The caller holds mu.
func (b *Broker) rebalance(g *group, avoid map[driver.TopicPartition]bool) {
	g.generation++
	candidates := make([]candidate, len(g.members))
	wanted := make(map[string]bool)
	names := b.topicNames()
	for i, m := range g.members {
		candidates[i] = candidate{member: m, topics: make(map[string]bool)}
		if m.c == nil {
			// A static member that is away keeps its partitions.
			for tp := range g.target {
				if g.target[tp] == m && b.topics[tp.Topic] != nil {
					candidates[i].topics[tp.Topic], wanted[tp.Topic] = true, true
				}
			}
			continue
		}
		for _, name := range names {
			if m.c.subscribes(name) {
				candidates[i].topics[name], wanted[name] = true, true
			}
		}
	}
	var partitions []driver.TopicPartition
	for _, name := range names {
		if wanted[name] {
			for p := range b.topics[name].partitions {
				partitions = append(partitions, driver.TopicPartition{Topic: name, Partition: int32(p)})
			}
		}
	}
	g.target = assign(candidates, partitions, g.target, avoid)
	g.touch()
}

// metadataChanged makes every group check the topics again, once its members' metadata is old enough for one
// of them to notice. The caller holds mu.
func (b *Broker) metadataChanged() {
	for _, g := range b.groups {
		var age time.Duration
		for i, m := range g.members {
			if m.c != nil && (i == 0 || m.c.cfg.MetadataMaxAge < age) {
				age = m.c.cfg.MetadataMaxAge
			}
		}
		switch {
		case len(g.members) == 0 || g.refresh != nil:
		case age <= 0:
			b.rebalance(g, nil)
		default:
			g.refresh = time.AfterFunc(age, func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				g.refresh = nil
				if len(g.members) > 0 {
					b.rebalance(g, nil)
				}
			})
		}
	}
}

// Rebalance makes group go through a rebalance in which nothing moves. An empty group means every group.
func (b *Broker) Rebalance(group string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, g := range b.groups {
		if group == "" || group == name {
			b.rebalance(g, nil)
		}
	}
}

// Revoke makes the group move each partition to another of its members, or back to the same one if it is
// alone: Revoked, then Assigned. Without arguments it revokes all partitions owned in any group.
func (b *Broker) Revoke(partitions ...driver.TopicPartition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.groups {
		avoid := make(map[driver.TopicPartition]bool)
		for tp := range g.owner {
			if len(partitions) == 0 || slices.Contains(partitions, tp) {
				avoid[tp], g.bounce[tp] = true, true
			}
		}
		if len(avoid) > 0 {
			b.rebalance(g, avoid)
		}
	}
}

// Lose ends memberships without telling the members, as an expired session does: others may own the
// partitions before the member's Listener learns that they are lost, and its commits are refused until it has
// joined again, which it does in a Poll. Members are named by their ids (see Members); without arguments Lose
// applies to all members of all groups.
func (b *Broker) Lose(members ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range slices.Clone(b.consumers) {
		if c.member != nil && (len(members) == 0 || slices.Contains(members, c.member.id)) {
			c.drop()
		}
	}
}

// MemberInfo describes a member of a group.
type MemberInfo struct {
	ID, InstanceID, ClientID string
	// Owned are the partitions that the member owns now, sorted.
	Owned []driver.TopicPartition
}

// Members returns the members of a group in the order in which they joined. An empty group means the only one
// there is.
func (b *Broker) Members(group string) []MemberInfo {
	b.mu.Lock()
	g := b.find(group)
	var infos []MemberInfo
	if g != nil {
		for _, m := range g.members {
			info := MemberInfo{ID: m.id, InstanceID: m.instance}
			if m.c != nil {
				info.ClientID = m.c.cfg.ClientID
			}
			for tp, o := range g.owner {
				if o == m {
					info.Owned = append(info.Owned, tp)
				}
			}
			slices.SortFunc(info.Owned, compareTP)
			infos = append(infos, info)
		}
	}
	b.mu.Unlock()
	return infos
}

// Committed returns a group's commit of a partition. Its Offset is -1 if there is none. An empty group means
// the only one there is.
func (b *Broker) Committed(group, topic string, partition int32) driver.Committed {
	b.mu.Lock()
	defer b.mu.Unlock()
	tp := driver.TopicPartition{Topic: topic, Partition: partition}
	if g := b.find(group); g != nil {
		return g.committed(tp)
	}
	return driver.Committed{TopicPartition: tp, Offset: -1, LeaderEpoch: -1}
}

func (g *group) committed(tp driver.TopicPartition) driver.Committed {
	if c, ok := g.commits[tp]; ok {
		return c
	}
	return driver.Committed{TopicPartition: tp, Offset: -1, LeaderEpoch: -1}
}

// SetCommitted writes a commit as another tool would (kafka-consumer-groups --reset-offsets). An offset of -1
// deletes the commit.
func (b *Broker) SetCommitted(group, topic string, partition int32, offset int64, metadata string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tp := driver.TopicPartition{Topic: topic, Partition: partition}
	g := b.groupOf(group)
	if offset < 0 {
		delete(g.commits, tp)
		return
	}
	g.commits[tp] = driver.Committed{TopicPartition: tp, Offset: offset, LeaderEpoch: -1, Metadata: metadata}
}

// Lag returns by how many offsets a group's commits are behind the ends of the partitions in its target
// assignment. A partition without a commit counts from its log's start. An empty group means the only one
// there is.
func (b *Broker) Lag(group string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.find(group)
	if g == nil {
		return 0
	}
	lag := int64(0)
	for tp := range g.target {
		if p := b.partition(tp); p != nil {
			lag += max(p.end-max(g.committed(tp).Offset, p.start), 0)
		}
	}
	return lag
}

// find returns a group by name; an empty name means the only group there is. The caller holds mu.
func (b *Broker) find(name string) *group {
	if name == "" && len(b.groups) == 1 {
		for _, g := range b.groups {
			return g
		}
	}
	return b.groups[name]
}
