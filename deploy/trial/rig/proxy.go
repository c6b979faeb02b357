package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Proxy stands between a process and a server. It can be made to swallow
// everything: connections stay open, new ones are accepted, and nothing gets
// through, as with a firewall that drops packets.
type Proxy struct {
	Address string // host:port to connect to

	to string
	l  net.Listener

	mu    sync.Mutex // guards all below, for moments
	open  chan struct{}
	conns map[net.Conn]bool // nil after Close
}

// OpenProxy returns a proxy on any free port that forwards to an address.
func OpenProxy(to string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("couldn't listen for the proxy: %w", err)
	}
	p := &Proxy{Address: l.Addr().String(), to: to, l: l, open: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.open)
	go p.serve()
	return p, nil
}

// Cut stops forwarding, in both directions.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// Heal forwards again, what came meanwhile first.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// Close ends all connections.
func (p *Proxy) Close() error {
	p.Heal()
	err := p.l.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		err = errors.Join(err, c.Close())
	}
	p.conns = nil
	return err
}

func (p *Proxy) serve() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return // closed
		}
		go p.join(c)
	}
}

// join forwards in both directions, until either side ends.
func (p *Proxy) join(near net.Conn) {
	defer p.drop(near)
	if !p.keep(near) {
		return
	}
	<-p.gate()
	far, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		return
	}
	defer p.drop(far)
	if !p.keep(far) {
		return
	}
	ended := make(chan struct{}, 2)
	go p.forward(far, near, ended)
	go p.forward(near, far, ended)
	<-ended
}

func (p *Proxy) forward(to, from net.Conn, ended chan<- struct{}) {
	defer func() { ended <- struct{}{} }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-p.gate()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// gate is closed while the proxy forwards.
func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns != nil {
		p.conns[c] = true
	}
	return p.conns != nil
}

func (p *Proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
