/**
 * Gets a document of an identity provider: bounded in size and time, no redirects, and only from where nobody can change
 * it on its way: over HTTPS with a trusted certificate, or from this machine.
 */
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { stsLimits } from './sts-limits.ts'

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost'])

/**
 * `thumbprints`: SHA-1 fingerprints (hex), one of which must be of a certificate of the server's chain; none: any trusted
 * chain will do. Authorities of a closed network are told to the process by NODE_EXTRA_CA_CERTS. Throws Error.
 */
export function fetchDocument(address: string, thumbprints: readonly string[]): Promise<string> {
  const url = new URL(address)
  const secure = url.protocol === 'https:'
  if (!secure && (url.protocol !== 'http:' || !loopback.has(url.hostname))) {
    return Promise.reject(new Error('plain HTTP is for providers on this machine'))
  }
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(stsLimits.providerTimeoutMs)
    // A connection of its own: a pooled one has no certificate to look at.
    const request = (secure ? httpsGet : httpGet)(url, {
      signal,
      agent: false,
      headers: { accept: 'application/json' },
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const fail = (message: string): void => {
        response.destroy()
        reject(new Error(message))
      }
      if (secure && !isPinned(response.socket as TLSSocket, thumbprints)) {
        fail('no certificate of the chain has a registered thumbprint')
        return
      }
      if (response.statusCode !== 200) {
        fail(`the provider answers ${response.statusCode}`)
        return
      }
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > stsLimits.providerDocumentBytesMax) fail('the document is too large')
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    })
  })
}

function isPinned(socket: TLSSocket, thumbprints: readonly string[]): boolean {
  if (thumbprints.length === 0) return true
  const wanted = new Set(thumbprints.map((each) => each.toLowerCase()))
  const seen = new Set<string>()
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (certificate?.fingerprint !== undefined && !seen.has(certificate.fingerprint)) {
    seen.add(certificate.fingerprint)
    if (wanted.has(certificate.fingerprint.replaceAll(':', '').toLowerCase())) return true
    certificate = certificate.issuerCertificate
  }
  return false
}
