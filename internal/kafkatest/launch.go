package kafkatest

import (
	"context"
	"os/exec"
	"path/filepath"
)

// Launch starts a cluster for a program that is not a test, such as a benchmark's main. Its data goes into the folder
// root, and [Cluster.End] ends it. ESM_KAFKA does not apply here: the caller has asked for it.
func Launch(root string, opts ...Option) (*Cluster, error) {
	return launch(DefaultVersion, root, opts)
}

// End kills the brokers of a cluster from [Launch]. A test's cluster ends by itself.
func (c *Cluster) End() { c.end() }

// ToolCommand returns one of Kafka's own command-line tools by its Java class, not yet started, for callers that
// examine the process itself. Java's settings are those that Kafka's own scripts use for its performance tools.
func ToolCommand(ctx context.Context, class string, args ...string) (*exec.Cmd, error) {
	rel, err := lookupRelease(DefaultVersion)
	if err != nil {
		return nil, err
	}
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	jars, err := jarsDir(ctx, DefaultVersion, rel)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, java, append([]string{"-Xmx512m", "-cp", filepath.Join(jars, "*"), class}, args...)...), nil
}
