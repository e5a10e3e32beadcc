// Package functest finds the tools that tests of Lambda functions need: interface clients for Python, Node and Java,
// the runtime interface emulator, a double of AWS Lambda. A missing tool skips a test on a developer's machine and
// fails it if CI=true; .ci/run installs all of them.
package functest

import (
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Quiet logs nothing.
var Quiet = slog.New(slog.DiscardHandler)

// missing skips the test, or fails it in CI.
func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal("CI has to have it: " + what)
	}
	tb.Skip(what)
}

// Python returns an interpreter that has awslambdaric: the one in ESM_PYTHON, or python3.
func Python(tb testing.TB) string {
	tb.Helper()
	python := os.Getenv("ESM_PYTHON")
	if python == "" {
		python = "python3"
	}
	path, err := exec.LookPath(python)
	if err != nil {
		missing(tb, "needs python3 with awslambdaric (pip install awslambdaric); ESM_PYTHON may name it")
	}
	if err := exec.Command(path, "-c", "import awslambdaric").Run(); err != nil {
		missing(tb, "needs awslambdaric for "+path+" (pip install awslambdaric), or another interpreter in ESM_PYTHON: "+err.Error())
	}
	return path
}

// Node returns node and the start file of aws-lambda-ric, which ESM_LAMBDA_RIC names.
func Node(tb testing.TB) (node, ric string) {
	tb.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(tb, "needs node")
	}
	ric = os.Getenv("ESM_LAMBDA_RIC")
	if _, err := os.Stat(ric); err != nil {
		missing(tb, "needs aws-lambda-ric (npm install aws-lambda-ric): ESM_LAMBDA_RIC names its index.mjs")
	}
	ric, err = filepath.Abs(ric)
	if err != nil {
		tb.Fatal(err)
	}
	return node, ric
}

// Java compiles a Lambda function. It returns java and a class path with the function and the interface client for
// Java, whose jars are in the folder ESM_JAVA_RIC.
func Java(tb testing.TB, source string) (java, classes string) {
	tb.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		missing(tb, "needs java")
	}
	javac, err := exec.LookPath("javac")
	if err != nil {
		missing(tb, "needs javac")
	}
	jars := os.Getenv("ESM_JAVA_RIC")
	if found, _ := filepath.Glob(filepath.Join(jars, "aws-lambda-java-runtime-interface-client-*.jar")); jars == "" || len(found) == 0 {
		missing(tb, "needs com.amazonaws:aws-lambda-java-runtime-interface-client and what it depends on (mvn dependency:copy-dependencies): ESM_JAVA_RIC names the folder of the jars")
	}
	dir := tb.TempDir()
	classes = filepath.Join(jars, "*") + string(os.PathListSeparator) + dir
	if out, err := exec.Command(javac, "-cp", classes, "-d", dir, source).CombinedOutput(); err != nil {
		tb.Fatalf("javac: %v\n%s", err, out)
	}
	return java, classes
}

// RIE returns the runtime interface emulator: ESM_RIE, or aws-lambda-rie on the PATH.
func RIE(tb testing.TB) string {
	tb.Helper()
	name := os.Getenv("ESM_RIE")
	if name == "" {
		name = "aws-lambda-rie"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		missing(tb, "needs aws-lambda-rie (go install github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest); ESM_RIE may name it")
	}
	return path
}

// Ministack returns the address of ministack, a double of AWS Lambda: ESM_MINISTACK.
func Ministack(tb testing.TB) string {
	tb.Helper()
	url := os.Getenv("ESM_MINISTACK")
	if url == "" {
		missing(tb, "needs ministack (pip install ministack): ESM_MINISTACK is its address")
	}
	return url
}

// Moto returns the address of a moto server: ESM_MOTO.
func Moto(tb testing.TB) string {
	tb.Helper()
	url := os.Getenv("ESM_MOTO")
	if url == "" {
		missing(tb, "needs moto (pip install moto[server]): ESM_MOTO is its address")
	}
	return url
}

// Eventually waits until ok returns true, and fails the test if that takes longer than a minute.
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatal("not within a minute: " + what)
		}
	}
}

// Answers reports whether an HTTP server answers at url, with any status.
func Answers(url string) bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}
