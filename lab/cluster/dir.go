package cluster

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	storeLimit = 2 << 30   // a node's max_file_store
	spaceLimit = 256 << 20 // less free space than this is refused: a full disk does not answer at all
)

// claimDir makes the folder, makes sure that it can be written and has some space, and locks it for this process.
func claimDir(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder: %w; choose one that can be written", err)
	}
	path := filepath.Join(dir, "cluster.lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("write into the folder: %w; choose one that can be written", err)
	}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("folder %s is in use by another cluster (%w); end that one or choose another folder", dir, err), file.Close())
	}
	if free, err := freeSpace(dir); err != nil || free < spaceLimit {
		if err == nil {
			err = fmt.Errorf("only %d MB free, at least %d MB are needed; free some space or choose another folder", free>>20, int64(spaceLimit)>>20)
		}
		return nil, errors.Join(fmt.Errorf("folder %s: %w", dir, err), file.Close())
	}
	return file.Close, nil
}

// identity is what must stay the same when the stores are used again. The name also keeps the nodes of two clusters apart,
// if one ever gets a port of the other.
type identity struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
}

// identify reads the folder's identity, or gives it one.
func identify(dir string, nodes int) (string, error) {
	path := filepath.Join(dir, "cluster.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id := identity{Name: "havoq-" + rand.Text()[:8], Nodes: nodes}
		if data, err = json.Marshal(id); err != nil {
			return "", err
		}
		return id.Name, os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return "", err
	}
	var id identity
	if err := json.Unmarshal(data, &id); err != nil {
		return "", fmt.Errorf("%s does not describe a cluster: %w; choose another folder", path, err)
	}
	if id.Name == "" {
		return "", fmt.Errorf("%s has no name of a cluster; choose another folder", path)
	}
	if id.Nodes != nodes {
		return "", fmt.Errorf("%s is of %d nodes, not %d; choose another folder", path, id.Nodes, nodes)
	}
	return id.Name, nil
}
