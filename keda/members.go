package keda

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// members reads the group's members and their partitions. A group uses the classic protocol or KIP-848's, and
// each has its own request; the one that found members last is tried first.
func (r *reader) members(ctx context.Context) (members []member, settled bool, err error) {
	ask, other := r.classicMembers, r.consumerMembers
	if r.consumer {
		ask, other = other, ask
	}
	if members, settled, err = ask(ctx); err != nil || len(members) > 0 {
		return members, settled, r.describing(err)
	}
	if r.knows848 == nil {
		if err := r.lookUpVersions(ctx); err != nil {
			return nil, false, r.describing(err)
		}
	}
	if !*r.knows848 {
		return nil, true, nil
	}
	if members, settled, err = other(ctx); len(members) > 0 {
		r.consumer = !r.consumer
	}
	return members, settled, r.describing(err)
}

func (r *reader) describing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("describe group %s: %w", r.cfg.consumerGroup, err)
}

// lookUpVersions asks once whether the brokers know KIP-848's groups.
func (r *reader) lookUpVersions(ctx context.Context) error {
	versions, err := r.admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	knows := false
	for _, broker := range versions {
		_, ok := broker.KeyMaxVersion(int16(kmsg.ConsumerGroupDescribe))
		knows = knows || ok && broker.Err == nil
	}
	r.knows848 = &knows
	return nil
}

// there turns the error "there is no such group of that kind" into no members.
func there(err error) error {
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return err
}

func (r *reader) classicMembers(ctx context.Context) ([]member, bool, error) {
	groups, err := r.admin.DescribeGroups(ctx, r.cfg.consumerGroup)
	if err != nil {
		return nil, false, err
	}
	group, ok := groups[r.cfg.consumerGroup]
	if !ok || group.Err != nil {
		return nil, true, there(group.Err)
	}
	members := make([]member, 0, len(group.Members))
	for _, m := range group.Members {
		one := member{id: m.MemberID}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				for _, p := range topic.Partitions {
					one.partitions = append(one.partitions, topicPartition{topic.Topic, p})
				}
			}
		}
		members = append(members, one)
	}
	return members, group.State == "Stable" || group.State == "Empty" || group.State == "Dead", nil
}

func (r *reader) consumerMembers(ctx context.Context) ([]member, bool, error) {
	groups, err := r.admin.DescribeConsumerGroups(ctx, r.cfg.consumerGroup)
	if err != nil {
		return nil, false, err
	}
	group, ok := groups[r.cfg.consumerGroup]
	if !ok || group.Err != nil {
		return nil, true, there(group.Err)
	}
	members := make([]member, 0, len(group.Members))
	for _, m := range group.Members {
		one := member{id: m.MemberID}
		for topic, partitions := range m.Assignment {
			for p := range partitions {
				one.partitions = append(one.partitions, topicPartition{topic, p})
			}
		}
		members = append(members, one)
	}
	return members, group.State == "Stable" || group.State == "Empty", nil
}
