package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// workIdle makes a contestant own partitions that receive nothing, and measures the cost.
func workIdle(ctx context.Context, c contestant, j job) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &meter{target: 1 << 62, limit: time.Hour, stop: cancel}
	failed := make(chan error, 1)
	go func() { failed <- c.run(ctx, j, m) }()
	wait := func(seconds float64) error {
		select {
		case <-time.After(time.Duration(seconds * float64(time.Second))):
			return nil
		case err := <-failed:
			return fmt.Errorf("ended early: %w", err)
		}
	}
	if err := wait(j.WarmSeconds); err != nil {
		return result{}, err
	}
	stop, err := j.profile()
	if err != nil {
		return result{}, err
	}
	begin := now()
	if err := wait(j.MinSeconds); err != nil {
		return result{}, err
	}
	end := now()
	stop()
	r := result{Seconds: end.at.Sub(begin.at).Seconds(), CPU: (end.cpu - begin.cpu).Seconds(), Records: m.records.Load(),
		Samples: []int64{memory("self", "VmRSS")}}
	cancel()
	return r, <-failed
}

// idleFigures measures members that own many partitions that receive nothing.
func idleFigures(ctx context.Context, bootstrap []string, fake bool, partitions int, warm, seconds float64, names []string, profiles string) error {
	var b *broker
	var err error
	if fake {
		if b, err = startFake(0); err == nil {
			b.name = "kfake"
		}
	} else {
		b, err = openKafka(bootstrap)
	}
	if err != nil {
		return err
	}
	defer b.close()
	topic := fmt.Sprintf("esm-bench-idle-%d", partitions)
	if err := b.topic(ctx, topic, partitions, 0, 0); err != nil {
		return err
	}
	fmt.Printf("\n%d idle partitions on %s; measured for %.0f s after %.0f s\n\n", partitions, b.name, seconds, warm)
	fmt.Println("| contestant | CPU, % of a core | RSS MB | peak MB |\n| --- | ---: | ---: | ---: |")
	for _, name := range names {
		j := job{Kind: "idle", Contestant: name, Bootstrap: b.bootstrap, Topic: topic, Group: groupName(),
			Partitions: partitions, Batch: 100, WarmSeconds: warm, MinSeconds: seconds}
		if profiles != "" {
			j.CPUProfile = filepath.Join(profiles, name+"-idle.prof")
		}
		r, err := runJob(ctx, j)
		if err != nil {
			fmt.Printf("| %s | failed: %v | | |\n", name, err)
			continue
		}
		fmt.Printf("| %s | %.2f | %d | %d |\n", name, 100*r.CPU/r.Seconds, r.Samples[0]>>20, r.Peak>>20)
	}
	return nil
}
