package e2e

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sidestream/e2e/kube"
)

// values returns what is in a ConfigMap or Secret of the pod's set.
func (p *pod) values(kind, name string, optional *bool) map[string]string {
	p.tb.Helper()
	o := p.set.Find(kind, name)
	if o == nil {
		if optional == nil || !*optional {
			p.tb.Fatalf("got no %s %s, want one: pods can't start", kind, name)
		}
		return nil
	}
	var err error
	values := map[string]string{}
	if kind == "ConfigMap" {
		var m corev1.ConfigMap
		err = o.Into(&m)
		for key, value := range m.Data {
			values[key] = value
		}
	} else {
		var s corev1.Secret
		err = o.Into(&s)
		for key, value := range s.Data {
			values[key] = string(value)
		}
		for key, value := range s.StringData {
			values[key] = value
		}
	}
	if err != nil {
		p.tb.Fatal(err)
	}
	return values
}

// layVolumes makes a directory of each volume.
func (p *pod) layVolumes() {
	p.tb.Helper()
	for _, v := range p.spec.Volumes {
		dir := p.volume(v.Name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			p.tb.Fatal(err)
		}
		if files, ok := p.files(v); ok {
			p.swap(dir, files)
		}
	}
}

func (p *pod) volume(name string) string { return filepath.Join(p.dir, "volumes", name) }

// update gives the pod another set, of which its volumes follow ConfigMaps and
// Secrets.
func (p *pod) update(set kube.Set) {
	p.tb.Helper()
	p.set = set
	for _, v := range p.spec.Volumes {
		if files, ok := p.files(v); ok {
			p.swap(p.volume(v.Name), files)
		}
	}
}

// files returns the files of a volume that has any from the start.
func (p *pod) files(v corev1.Volume) (files map[string]string, ok bool) {
	p.tb.Helper()
	switch {
	case v.ConfigMap != nil:
		return pick(p.values("ConfigMap", v.ConfigMap.Name, v.ConfigMap.Optional), v.ConfigMap.Items), true
	case v.Secret != nil:
		return pick(p.values("Secret", v.Secret.SecretName, v.Secret.Optional), v.Secret.Items), true
	case v.EmptyDir != nil, v.PersistentVolumeClaim != nil:
		return nil, false
	}
	p.tb.Fatalf("got a volume %s of an unknown kind", v.Name)
	return nil, false
}

// pick returns the items of values, or all if there are none.
func pick(values map[string]string, items []corev1.KeyToPath) map[string]string {
	if len(items) == 0 {
		return values
	}
	files := map[string]string{}
	for _, item := range items {
		files[item.Path] = values[item.Key]
	}
	return files
}

// swap puts files in place as a kubelet does: each is a symbolic link into
// "..data", which is one to a directory of this version and is replaced in one
// step. Files that are the same already stay.
func (p *pod) swap(dir string, files map[string]string) {
	p.tb.Helper()
	data := filepath.Join(dir, "..data")
	before, _ := os.Readlink(data) // none the first time
	same := before != ""
	for name, content := range files {
		files[name] = p.local(content, nil)
		old, err := os.ReadFile(filepath.Join(data, name))
		same = same && err == nil && string(old) == files[name]
	}
	if same {
		return
	}
	version := ".." + time.Now().UTC().Format("2006_01_02_15_04_05.000000000")
	for name, content := range files {
		writeFile(p.tb, filepath.Join(dir, version, name), content)
	}
	check := func(err error) {
		p.tb.Helper()
		if err != nil {
			p.tb.Fatal(err)
		}
	}
	check(os.Symlink(version, data+"_tmp"))
	check(os.Rename(data+"_tmp", data))
	for name := range files {
		top, _, _ := strings.Cut(name, "/")
		if _, err := os.Lstat(filepath.Join(dir, top)); err != nil {
			check(os.Symlink(filepath.Join("..data", top), filepath.Join(dir, top)))
		}
	}
	if before != "" {
		check(os.RemoveAll(filepath.Join(dir, before)))
	}
}

// local replaces paths below the container's mounts by where they are here.
func (c *podContainer) local(text string) string { return c.pod.local(text, &c.spec) }

// local does it for one container, or for the mounts of all.
func (p *pod) local(text string, only *corev1.Container) string {
	var mounts []corev1.VolumeMount
	for _, c := range slices.Concat(p.spec.InitContainers, p.spec.Containers) {
		if only == nil || only.Name == c.Name {
			mounts = append(mounts, c.VolumeMounts...)
		}
	}
	// The longest first, since mounts can lie in one another.
	slices.SortFunc(mounts, func(a, b corev1.VolumeMount) int { return cmp.Compare(len(b.MountPath), len(a.MountPath)) })
	var pairs []string
	for _, m := range mounts {
		from, to := path.Clean(m.MountPath), filepath.Join(p.volume(m.Name), m.SubPath)
		pairs = append(pairs, from+"/", to+"/")
		for _, end := range []string{`"`, "'", " ", "\n", "}", ","} {
			pairs = append(pairs, from+end, to+end)
		}
		if strings.HasSuffix(text, from) {
			text = strings.TrimSuffix(text, from) + to
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
