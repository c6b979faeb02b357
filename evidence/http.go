package evidence

const domainHTTP = "interlock.run/http/v1"

// HTTPDigest identifies an HTTP request by the exact bytes of its method, its
// address and its body, which is nil if there is none. Headers are not part of
// it: some are secret, and the others are the catalogue's.
func HTTPDigest(method, url string, body []byte) Digest {
	h := newHash(domainHTTP)
	h.bytes([]byte(method))
	h.bytes([]byte(url))
	if body != nil {
		h.bytes(body)
	}
	return h.sum()
}
