package cluster

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

var (
	really = flag.Bool("cluster", false, "run the tests, in the cluster that KUBECONFIG names")
	image  = flag.String("cluster.image", "sidestream:0.1.0", "the program's image, as the nodes get it")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !*really {
		fmt.Println("cluster: nothing to do without -cluster; see make e2e-cluster")
		return
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// prepare says what is missing, if anything is.
func prepare() error {
	if os.Getenv("KUBECONFIG") == "" {
		return fmt.Errorf("KUBECONFIG is not set; it names the file that says where the cluster is, such as KUBECONFIG=%s/.kube/config", os.Getenv("HOME"))
	}
	if !slices.ContainsFunc(filepath.SplitList(os.Getenv("KUBECONFIG")), func(file string) bool {
		_, err := os.Stat(file)
		return err == nil
	}) {
		return fmt.Errorf("KUBECONFIG=%s: there is no such file", os.Getenv("KUBECONFIG"))
	}
	if _, err := exec.LookPath("kubectl"); err != nil {
		return fmt.Errorf("%w; see https://kubernetes.io/docs/tasks/tools/", err)
	}
	if helm, err := exec.LookPath("helm"); err != nil {
		return fmt.Errorf("%w; see https://helm.sh/docs/intro/install/", err)
	} else if out, err := exec.Command(helm, "version").CombinedOutput(); err != nil {
		return fmt.Errorf("%s version: %w\n%s", helm, err, out)
	}
	if out, err := exec.Command("kubectl", "get", "--raw", "/version").CombinedOutput(); err != nil {
		return fmt.Errorf("the cluster that KUBECONFIG names can't be reached: %w\n%s", err, out)
	}
	return nil
}
