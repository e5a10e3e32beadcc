//go:build unix

package web_test

import (
	"errors"
	"net"
	"os/exec"
	"syscall"
	"testing"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/web"
	"github.com/esm-go/esm/internal/functest"
)

// The function of package runtime's tests has the same results on the runtime interface emulator.
func TestEmulator(t *testing.T) {
	rie, python := functest.RIE(t), functest.Python(t)
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	address := free()
	cmd := exec.Command(rie, "--runtime-interface-emulator-address", address, "--runtime-api-address", free(), python, "-m", "awslambdaric", "app.handler")
	cmd.Dir, cmd.SysProcAttr = "../runtime/testdata", &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	functest.Eventually(t, "the emulator answers", func() bool { return functest.Answers("http://" + address + "/") })
	f, err := web.New("http://"+address+invocation, quiet, web.WithConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.CloseIdleConnections)
	r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("ok", "item", "ok", "print hello")...)
	if len(r.Dropped) != 1 || len(r.Dropped[0].Records) != 1 || r.Dropped[0].Records[0].Offset != 1 || r.Attempts != 2 || r.Unresolved != 0 {
		t.Errorf("%d attempts, dropped %+v, last error %v", r.Attempts, r.Dropped, r.Err)
	}
	r = esmtest.Invoke(t, mapping(0), f.Handle, esmtest.Values("fail 7")...)
	fe, ok := errors.AsType[*function.Error](r.Err)
	if !ok || fe.Type != "ValueError" || fe.Message != "bad record 7" || len(fe.StackTrace) == 0 {
		t.Errorf("%#v", r.Err)
	}
}
