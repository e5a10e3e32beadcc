package franz

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// The log was truncated at 10 and has grown past the position again: an unclean election. The leader answers where the
// epoch of the last record that was read now ends.
func TestALogThatWasCutAndGrewAgain(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(2), kfake.SeedTopics(1, "t"))
	produce(t, c.ListenAddrs(), values("t", 0, 0, 20)...)
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	p := tp("t", 0)
	m.until(t, "read", func() bool { return m.next[p] == 20 })
	c.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return epochEnd(req.(*kmsg.OffsetForLeaderEpochRequest), 10), nil, true
	})
	if err := c.MoveTopicPartition("t", 0, (c.LeaderFor("t", 0)+1)%2); err != nil {
		t.Fatal(err)
	}
	m.until(t, "reported", func() bool { return m.has(driver.KindTruncated) == 1 })
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.errs[len(m.errs)-1]; e.Offset != 20 || e.To != 10 || e.TopicPartition != p {
		t.Errorf("reported %+v, want %v cut at 10 and read to 20", e, p)
	}
}

func epochEnd(req *kmsg.OffsetForLeaderEpochRequest, end int64) *kmsg.OffsetForLeaderEpochResponse {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, p.LeaderEpoch, end
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
