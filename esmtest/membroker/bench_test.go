package membroker_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

func BenchmarkPoll(b *testing.B) {
	for _, c := range []struct{ n, reuse int }{{1000, 0}, {10000, 0}, {1000, 4}, {1000, 64}, {10000, 4}} {
		n := c.n
		b.Run(fmt.Sprintf("run=%d/reuse=%d", n, c.reuse), func(b *testing.B) {
			broker := membroker.NewBroker(b, membroker.FetchRecords(n), membroker.FetchRuns(1), membroker.ReuseLoad(c.reuse))
			broker.Load("orders", 8, 1<<50, membroker.Record{Value: make([]byte, 100)})
			l := &starter{}
			c, err := broker.Driver().Open(driver.Config{GroupID: "g", Topics: []string{"orders"}}, l)
			if err != nil {
				b.Fatal(err)
			}
			l.c = c
			defer func() { _ = c.Close(context.Background()) }()
			var fetch driver.Fetch
			ctx := context.Background()
			records := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Poll(ctx, &fetch); err != nil {
					b.Fatal(err)
				}
				for i := range fetch.Runs {
					records += len(fetch.Runs[i].Records)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
		})
	}
}

type starter struct{ c driver.Consumer }

func (s *starter) Assigned(tps []driver.TopicPartition) {
	for _, tp := range tps {
		s.c.Start([]driver.Start{{TopicPartition: tp}})
	}
}

func (*starter) Revoked([]driver.TopicPartition) {}

func (*starter) Lost([]driver.TopicPartition) {}
