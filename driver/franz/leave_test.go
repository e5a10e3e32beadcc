package franz

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An unanswered join, for example while the group's other members take their time, does not keep a member from leaving.
func TestCloseDoesNotWaitForAJoin(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	joining, answer := make(chan struct{}), make(chan struct{})
	defer close(answer)
	c.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(joining)
		c.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	opened, err := Driver().Open(config(c.ListenAddrs(), "g", "t"), &member{changed: make(chan struct{})})
	if err != nil {
		t.Fatal(err)
	}
	<-joining
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_ = opened.Close(ctx) // it reports that the group was not left
	if ctx.Err() != nil {
		t.Error("Close took all the time that it had")
	}
	if deadline, _ := ctx.Deadline(); time.Until(deadline) < 50*time.Second {
		t.Errorf("Close took %v", time.Minute-time.Until(deadline))
	}
}
