/**
 * Notification targets: web addresses that the operator of the gateway has configured, by name.
 *
 * Clients name a target by ARN, `arn:aws:sqs:<region>:<account>:<name>` (sns and lambda alike), never by address: what
 * this gateway sends requests to is its operator's to say, so nobody can make it talk to hosts of his choice.
 */
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { z } from 'zod'
import { eventBridgeTarget } from '../../node/core/notification.ts'

export const webhookLimits = {
  /** A target that has not answered by then counts as down; the event is sent again. */
  timeoutMs: 10_000,
  /** Bytes of an answer that are read; nobody needs them. */
  answerBytesMax: 64 * 1024,
} as const

/** In the gateway's configuration: targets by name. */
export const webhooksSchema = z.record(
  z.string().regex(/^[A-Za-z0-9_-]{1,80}$/),
  z.object({
    url: z.url({ protocol: /^https?$/ }),
    /** File with the secret that is sent as `Authorization: Bearer <secret>`; absent: none is sent. */
    tokenFile: z.string().optional(),
  }),
)

export type WebhooksConfig = z.infer<typeof webhooksSchema>

/** `unknown`: no target of that name is configured. */
export type SendOutcome = 'delivered' | 'failed' | 'unknown'

export class WebhookTargets {
  readonly #targets: ReadonlyMap<string, { readonly url: URL; readonly token: string | undefined }>

  /** Reads the secrets once. Throws when a file cannot be read. */
  constructor(config: WebhooksConfig) {
    this.#targets = new Map(
      Object.entries(config).map(([name, { url, tokenFile }]) => {
        const token = tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim()
        return [name, { url: new URL(url), token }]
      }),
    )
  }

  /** Whether a bucket may be configured with this ARN. */
  has(arn: string): boolean {
    return this.#targets.has(targetName(arn))
  }

  /** Posts a JSON document. Never throws. */
  async send(arn: string, document: string): Promise<SendOutcome> {
    const target = this.#targets.get(targetName(arn))
    if (target === undefined) return 'unknown'
    const status = await post(target, Buffer.from(document))
    return status !== undefined && status >= 200 && status < 300 ? 'delivered' : 'failed'
  }
}

/** The last part of an ARN, or the event bus; '' when it is none of ours. */
function targetName(arn: string): string {
  if (arn === eventBridgeTarget) return arn
  return /^arn:aws:(?:sns|sqs|lambda):[^:]*:[^:]*:(?:function:)?([A-Za-z0-9_-]+)$/.exec(arn)?.[1] ?? ''
}

/** The status of the answer; undefined: there was none in time. */
function post(
  { url, token }: { url: URL; token: string | undefined },
  body: Buffer,
): Promise<number | undefined> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(webhookLimits.timeoutMs)
    const request = send(url, { method: 'POST', headers, signal, minVersion: 'TLSv1.3' })
    request.on('error', () => resolve(undefined))
    request.on('response', (answer) => {
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > webhookLimits.answerBytesMax) answer.destroy()
      })
      answer.on('error', () => resolve(undefined))
      answer.on('close', () => resolve(answer.statusCode))
    })
    request.end(body)
  })
}
