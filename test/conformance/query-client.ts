/** A raw client of IAM and STS for conformance tests: forms over HTTP, signed by the test's own code. */
import assert from 'node:assert/strict'
import { type Answer, type Keys, type S3Client, type SendOptions, tag } from './s3-client.ts'

/** Keys of a user or of a session. */
export interface Credentials extends Keys {
  readonly token?: string
}

export type Parameters = Readonly<Record<string, string>>

const versions = { iam: '2010-05-08', sts: '2011-06-15' } as const

export class QueryClient {
  readonly s3: S3Client
  readonly keys: Credentials

  constructor(s3: S3Client, keys: Credentials = s3.keys) {
    this.s3 = s3
    this.keys = keys
  }

  /** The same endpoint with other keys. */
  as(keys: Credentials): QueryClient {
    return new QueryClient(this.s3, keys)
  }

  iam(action: string, parameters: Parameters = {}, options: Partial<SendOptions> = {}): Promise<Answer> {
    return this.#send('iam', action, parameters, options)
  }

  sts(action: string, parameters: Parameters = {}, options: Partial<SendOptions> = {}): Promise<Answer> {
    return this.#send('sts', action, parameters, options)
  }

  /** Fails the test unless it succeeds. */
  async done(action: string, parameters: Parameters = {}): Promise<string> {
    const answer = await this.iam(action, parameters)
    assert.equal(answer.status, 200, `${action}: ${answer.text}`)
    assert.equal(answer.headers['content-type'], 'text/xml')
    assert.equal(tag(answer.text, 'RequestId'), answer.headers['x-amz-request-id'])
    return answer.text
  }

  /** An S3 request with these keys. */
  send(options: SendOptions): Promise<Answer> {
    const { token, ...keys } = this.keys
    const headers = token === undefined ? {} : { 'x-amz-security-token': token }
    return this.s3.send({ ...options, keys, headers: { ...headers, ...options.headers } })
  }

  #send(
    service: 'iam' | 'sts',
    action: string,
    parameters: Parameters,
    options: Partial<SendOptions>,
  ): Promise<Answer> {
    const body = new URLSearchParams({ Action: action, Version: versions[service], ...parameters }).toString()
    return this.send({
      method: 'POST',
      path: '/',
      body,
      service,
      region: 'us-east-1',
      ...options,
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', ...options.headers },
    })
  }
}

/** Fails the test unless the answer is this error of IAM or STS. */
export function assertQueryError(answer: Answer, status: number, code: string): void {
  assert.equal(tag(answer.text, 'Code'), code, answer.text)
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.text, /^<\?xml [^>]*>\n<ErrorResponse xmlns="https:\/\/(iam|sts)\.amazonaws\.com/)
  assert.equal(tag(answer.text, 'RequestId'), answer.headers['x-amz-request-id'])
}

let counter = 0

/** A name that no other test uses. */
export function freshName(prefix: string): string {
  counter += 1
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${counter}`
}

export function policy(...statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements })
}

export function allow(
  action: string | readonly string[],
  resource: string | readonly string[] = '*',
): string {
  return policy({ Effect: 'Allow', Action: action, Resource: resource })
}

/** The credentials in an answer of CreateAccessKey or STS. */
export function credentialsIn(text: string): Credentials {
  const token = tag(text, 'SessionToken')
  return {
    accessKeyId: tag(text, 'AccessKeyId') ?? '',
    secretAccessKey: tag(text, 'SecretAccessKey') ?? '',
    ...(token === undefined ? {} : { token }),
  }
}

export interface IamUser {
  readonly name: string
  readonly arn: string
  readonly userId: string
  readonly client: QueryClient
}

/** A user of the root's account with a key of his own. */
export async function createIamUser(root: QueryClient, prefix = 'user'): Promise<IamUser> {
  const name = freshName(prefix)
  const created = await root.done('CreateUser', { UserName: name })
  const keys = credentialsIn(await root.done('CreateAccessKey', { UserName: name }))
  return {
    name,
    arn: tag(created, 'Arn') ?? '',
    userId: tag(created, 'UserId') ?? '',
    client: root.as(keys),
  }
}

/** Repeats until the answer has this status: gateways remember keys and policies for seconds. */
export async function eventually(status: number, ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + 15_000
  for (;;) {
    const answer = await ask()
    if (answer.status === status || performance.now() > deadline) {
      assert.equal(answer.status, status, answer.text)
      return answer
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
