package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// kafkaVersion is the version of Apache Kafka that setup.sh fetches.
const kafkaVersion = "4.3.0"

// kafkaSources is the directory of the tests' own Java programs.
const kafkaSources = "kafka"

// javaProgram returns the arguments with which java runs one of the tests'
// own programs, which sees Kafka's classes. heap is the most memory that its
// objects take, such as "256m".
func javaProgram(program, heap string, args ...string) ([]string, error) {
	installed, err := installedKafka()
	if err != nil {
		return nil, err
	}
	logging, err := filepath.Abs(filepath.Join(kafkaSources, "log4j2.properties"))
	if err != nil {
		return nil, err
	}
	return append([]string{
		"-XX:SharedArchiveFile=" + installed.archive, // done without, where there is none
		"-Xmx" + heap, "-XX:+UseSerialGC", "-XX:-UsePerfData",
		"-XX:TieredStopAtLevel=1", // starts sooner, and no test runs long enough to gain by the other level
		"-Dlog4j2.configurationFile=file:" + logging,
		"-cp", installed.classpath, program,
	}, args...), nil
}

// A kafkaInstallation is what setup.sh has installed, and the tests' own
// programs.
type kafkaInstallation struct {
	classpath string
	archive   string // of Kafka's classes as Java likes them; may be missing
}

// installedKafka compiles the tests' own programs, if no run before has
// compiled the same, and returns where all is.
var installedKafka = sync.OnceValues(func() (*kafkaInstallation, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	jars := filepath.Join(cache, "sidestream", "kafka-"+kafkaVersion)
	if _, err := os.Stat(jars); err != nil {
		return nil, fmt.Errorf("%w (setup.sh installs what the tests need)", err)
	}
	sources, err := filepath.Glob(filepath.Join(kafkaSources, "*.java"))
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	classes := jars + "-programs-" + hex.EncodeToString(sum.Sum(nil)[:8])
	jarsPath := filepath.Join(jars, "*")
	if _, err := os.Stat(classes); errors.Is(err, fs.ErrNotExist) {
		err = compileJava(classes, jarsPath, sources)
		if err != nil {
			return nil, err
		}
	}
	return &kafkaInstallation{
		// The jars come first, since the archive is good for what starts with them.
		classpath: jarsPath + string(filepath.ListSeparator) + classes,
		archive:   jars + ".jsa",
	}, nil
})

// compileJava makes the directory classes, which is there once all is in it.
func compileJava(classes, classpath string, sources []string) error {
	scratch, err := os.MkdirTemp(filepath.Dir(classes), "programs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	args := append([]string{"-cp", classpath, "-d", scratch}, sources...)
	if out, err := exec.Command("javac", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("javac %s: %w (setup.sh installs what the tests need)\n%s", strings.Join(sources, " "), err, out)
	}
	err = os.Rename(scratch, classes)
	if errors.Is(err, fs.ErrExist) { // another test binary was quicker
		return nil
	}
	return err
}

// startJava starts a program that serves all tests of the binary, and that
// ends by itself when the binary does; there is no goroutine that waits for
// it. What it writes goes to the file log.
func startJava(log, program, heap string, args ...string) error {
	args, err := javaProgram(program, heap, args...)
	if err != nil {
		return err
	}
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command("java", args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start java %s: %w", program, err)
	}
	return cmd.Process.Release()
}
