package invoke_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/invoke"
	"github.com/esm-go/esm/internal/functest"
)

// create creates the function of package runtime's tests on an emulation of AWS Lambda.
func create(t *testing.T, c *lambda.Client, name, account string) {
	t.Helper()
	code, err := os.ReadFile("../runtime/testdata/app.py")
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.Create("app.py")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(code)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: &name, Runtime: types.RuntimePython311, Handler: aws.String("app.handler"),
		Role: aws.String("arn:aws:iam::" + account + ":role/esm-invoke"), Timeout: aws.Int32(30), Code: &types.FunctionCode{ZipFile: archive.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = c.DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: &name}) // the emulation is discarded too
	})
}

// ministack emulates AWS Lambda and runs the function, with the same results as everywhere else.
func TestMinistack(t *testing.T) {
	c := client(t, functest.Ministack(t))
	name := fmt.Sprintf("esm-invoke-%d", rand.Uint32())
	f, err := invoke.New(c, name, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("before it is made: %v", err)
	}
	create(t, c, name, "000000000000")
	functest.Eventually(t, "the function is active", func() bool { return f.Ready(t.Context()) == nil })
	r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("ok", "item", "ok", "print hello")...)
	if len(r.Dropped) != 1 || len(r.Dropped[0].Records) != 1 || r.Dropped[0].Records[0].Offset != 1 || r.Attempts != 2 || r.Unresolved != 0 {
		t.Errorf("%d attempts, dropped %+v, last error %v", r.Attempts, r.Dropped, r.Err)
	}
	r = esmtest.Invoke(t, mapping(0), f.Handle, esmtest.Values("fail 7")...)
	fe, ok := errors.AsType[*function.Error](r.Err)
	if !ok || fe.FunctionError != "Unhandled" || fe.ExecutedVersion != "$LATEST" || fe.Message != "bad record 7" || fe.RequestID == "" {
		t.Errorf("%#v", r.Err)
	}
	// Raise the timeout over 14 minutes, and lower it again.
	for _, tc := range []struct {
		timeout int32
		valid   bool
	}{{900, false}, {840, true}} {
		if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Timeout: &tc.timeout}); err != nil {
			t.Fatal(err)
		}
		want := "its timeout is 15m0s"
		functest.Eventually(t, "the check sees the timeout", func() bool {
			err := f.Ready(t.Context())
			return tc.valid && err == nil || !tc.valid && err != nil && strings.Contains(err.Error(), want)
		})
	}
	if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("ok")...)); err != nil {
		t.Error(err)
	}
}

// moto returns the answers that it was configured with.
func TestMoto(t *testing.T) {
	address := functest.Moto(t)
	post := func(path, body string) {
		r, err := http.Post(address+path, "application/json", strings.NewReader(body)) //nolint:gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	defer http.DefaultClient.CloseIdleConnections()
	post("/moto-api/config", `{"lambda":{"use_docker":false}}`)
	c := client(t, address)
	name := fmt.Sprintf("esm-invoke-%d", rand.Uint32())
	createWithRole(t, address, c, name)
	f, err := invoke.New(c, "arn:aws:lambda:us-east-1:123456789012:function:"+name, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	post("/moto-api/static/lambda-simple/response", `{"results":["{\"batchItemFailures\":[{\"itemIdentifier\":{\"partition\":\"t-0\",\"offset\":1}}]}","null"]}`)
	r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("a", "b")...)
	if r.Attempts != 2 || len(r.Dropped) != 0 || r.Invocations[0].Err == nil {
		t.Errorf("%d attempts, dropped %+v: %v", r.Attempts, r.Dropped, r.Err)
	}
	gone, err := invoke.New(c, "nothing", quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
}

// createWithRole is create for moto, which checks that the role exists.
func createWithRole(t *testing.T, address string, c *lambda.Client, name string) {
	t.Helper()
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"esm-invoke"}, "AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[]}`}}
	req, _ := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0") // moto only reads the service
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	create(t, c, name, "123456789012")
}
