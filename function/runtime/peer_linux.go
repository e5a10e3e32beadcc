package runtime

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
)

// ownsSocket reports whether the connection from remote to port belongs to a process in the group led by leader.
func ownsSocket(leader int, remote, port *net.TCPAddr) bool {
	inode := socketInode(remote, port)
	if inode == "" {
		return false
	}
	link := "socket:[" + inode + "]"
	if hasFile(leader, link) {
		return true
	}
	found := false
	eachProcess(func(pid int) {
		if found || pid == leader {
			return
		}
		if group, ok := processGroup(pid); ok && group == leader {
			found = hasFile(pid, link)
		}
	})
	return found
}

// hasFile reports whether one of a process's file descriptors links to link.
func hasFile(pid int, link string) bool {
	dir, err := os.Open(procPath(pid, "fd"))
	if err != nil {
		return false
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, _ := dir.Readdirnames(-1)   // a partial list is fine
	for _, name := range names {
		if target, err := os.Readlink(procPath(pid, "fd/"+name)); err == nil && target == link {
			return true
		}
	}
	return false
}

// socketInode returns the inode of remote's end of a connection in this network namespace, or "". A client with a
// dual-stack socket, as Java uses, is in the IPv6 table.
func socketInode(remote, port *net.TCPAddr) string {
	if inode := inodeIn("/proc/self/net/tcp", hexIPv4(remote), hexIPv4(port)); inode != "" {
		return inode
	}
	return inodeIn("/proc/self/net/tcp6", hexMapped(remote), hexMapped(port))
}

// inodeIn looks up the socket between two addresses in one of the kernel's tables.
func inodeIn(table, local, remote string) string {
	file, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // it was only read
	ends := " " + local + " " + remote + " "
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), ends); ok {
			if f := strings.Fields(rest); len(f) > 6 { // state queues timer retransmits uid timeout inode
				return f[6]
			}
		}
	}
	return ""
}

// hexIPv4 formats an address as /proc/net/tcp does: the IP's four bytes as one number in this machine's byte order.
func hexIPv4(a *net.TCPAddr) string {
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(a.IP.To4()), a.Port)
}

// hexMapped formats an IPv4 address as /proc/net/tcp6 does: mapped to IPv6 (::ffff:127.0.0.1), as four such numbers.
func hexMapped(a *net.TCPAddr) string {
	ip, text := a.IP.To16(), ""
	for ; len(ip) > 0; ip = ip[4:] {
		text += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(ip))
	}
	return fmt.Sprintf("%s:%04X", text, a.Port)
}
