/**
 * How two nodes speak TLS: parameters of both ends, and who the other end is.
 *
 * Invariants: TLS 1.3 only, AES-GCM only (BSI TR-02102-2), Ed25519 certificates on both sides, no resumption: every
 * connection proves the key anew. Chains and names are not looked at; the raw key in the certificate is compared with
 * the cluster map by the caller, and TLS has proved that the peer holds it (CertificateVerify, RFC 8446 4.4.3).
 * Leaves to others: who is admitted (`Admission`), what flows (channel-*.ts).
 */
import { constants } from 'node:crypto'
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls'
import type { MapNode } from '../core/cluster-map.ts'
import { frameVersion } from '../protocol/frame.ts'
import type { ConnectionClass } from '../protocol/messages.ts'
import { certificateKey, selfSignedCertificate } from './certificate.ts'
import type { KeyPair } from './identity.ts'

/** The node of the current cluster map that has this raw Ed25519 key (hex) and may speak, or undefined. */
export type Admission = (publicKeyHex: string) => MapNode | undefined

export const tlsLimits = {
  /** A peer that does not finish its handshake in this time is not worth a file descriptor. Milliseconds. */
  handshakeMs: 5_000,
} as const

const ciphers = 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256'
/** Preferred first: hybrid post-quantum key agreement, where both ends have OpenSSL 3.5. */
const groups = ['X25519MLKEM768:X25519', 'X25519']

/** ALPN protocol of a connection: its class and the version of frames. */
export function protocolName(connection: ConnectionClass): string {
  return `bundescloud/${frameVersion}/${connection}`
}

/** The class of a connection that ALPN agreed on, undefined when it agreed on nothing. */
export function connectionClass(socket: TLSSocket): ConnectionClass | undefined {
  if (socket.alpnProtocol === protocolName('control')) return 'control'
  if (socket.alpnProtocol === protocolName('bulk')) return 'bulk'
  return undefined
}

/** One certificate and one set of parameters for all connections of a process. */
export class TlsContext {
  readonly #options: SecureContextOptions
  readonly #client: SecureContext

  constructor(keyPair: KeyPair, nodeId: string) {
    this.#options = {
      key: keyPair.privateKey.export({ format: 'pem', type: 'pkcs8' }),
      cert: selfSignedCertificate(keyPair, nodeId),
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ciphers,
      sigalgs: 'ed25519',
      ecdhCurve: offeredGroups(),
      secureOptions: constants.SSL_OP_NO_TICKET,
    }
    this.#client = createSecureContext(this.#options)
  }

  /** For `tls.createServer`. Chains are not verified (self-signed): the caller must check `peerKey`. */
  serverOptions(): TlsOptions {
    return {
      ...this.#options,
      ALPNProtocols: [protocolName('control'), protocolName('bulk')],
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: tlsLimits.handshakeMs,
      noDelay: true,
    }
  }

  /** For `tls.connect`. As above: the caller must check `peerKey` and that ALPN agreed. */
  clientOptions(connection: ConnectionClass): ConnectionOptions {
    return {
      secureContext: this.#client,
      ALPNProtocols: [protocolName(connection)],
      rejectUnauthorized: false,
    }
  }
}

/** The raw Ed25519 key (hex) that the peer has proved to hold; undefined when it showed none. */
export function peerKey(socket: TLSSocket): string | undefined {
  const certificate = socket.isSessionReused() ? undefined : socket.getPeerX509Certificate()
  return certificate && certificateKey(certificate)
}

function offeredGroups(): string {
  for (const ecdhCurve of groups) {
    try {
      createSecureContext({ ecdhCurve })
      return ecdhCurve
    } catch {
      // This OpenSSL does not know the hybrid group: the next entry does without it.
    }
  }
  throw new Error('this OpenSSL has no X25519')
}
