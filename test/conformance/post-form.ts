/** POST forms as a browser sends them, signed with code of the tests' own. */
import { createHmac } from 'node:crypto'
import { type Answer, isoBasic, type Keys, type S3Client, signingKey } from './s3-client.ts'

export type Fields = Readonly<Record<string, string>>

export interface FormFile {
  readonly data: string | Buffer
  readonly name?: string
}

export const boundary = '----WebKitFormBoundary7MA4YWxkTrZu0gW'

/** `behind`: fields after the file. `end`: what closes the form. */
export function encodeForm(
  fields: Fields,
  file: FormFile | undefined,
  { behind = {}, end = '--\r\n' }: { behind?: Fields; end?: string } = {},
): Buffer {
  const pieces: (string | Buffer)[] = []
  const part = (head: string, data: string | Buffer) =>
    pieces.push(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`, data, '\r\n')
  for (const [name, value] of Object.entries(fields)) part(`name="${name}"`, value)
  if (file !== undefined) {
    part(
      `name="file"; filename="${file.name ?? 'file'}"\r\nContent-Type: application/octet-stream`,
      file.data,
    )
  }
  for (const [name, value] of Object.entries(behind)) part(`name="${name}"`, value)
  return Buffer.concat([...pieces, `--${boundary}${end}`].map((piece) => Buffer.from(piece)))
}

export function post(
  s3: S3Client,
  path: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const contentType = `multipart/form-data; boundary=${boundary}`
  return s3.send({
    method: 'POST',
    path,
    body,
    anonymous: true,
    headers: { 'content-type': contentType, ...headers },
  })
}

/** Fields that sign: `conditions`, beside those for the fields of the signature. */
export function signedFields(
  keys: Keys,
  region: string,
  { conditions, expiresMs = Date.now() + 60_000 }: { conditions: readonly unknown[]; expiresMs?: number },
): Record<string, string> {
  const date = isoBasic(Date.now())
  const signing = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${keys.accessKeyId}/${date.slice(0, 8)}/${region}/s3/aws4_request`,
    'x-amz-date': date,
  }
  const all = [...conditions, ...Object.entries(signing).map(([name, value]) => ({ [name]: value }))]
  const document = { expiration: new Date(expiresMs).toISOString(), conditions: all }
  const policy = Buffer.from(JSON.stringify(document)).toString('base64')
  const key = signingKey(keys, date.slice(0, 8), region)
  return {
    ...signing,
    policy,
    'x-amz-signature': createHmac('sha256', key).update(policy).digest('hex'),
  }
}

/** The older way: HMAC-SHA1 over the policy. */
export function legacyFields(keys: Keys, conditions: readonly unknown[]): Record<string, string> {
  const document = { expiration: new Date(Date.now() + 60_000).toISOString(), conditions }
  const policy = Buffer.from(JSON.stringify(document)).toString('base64')
  return {
    AWSAccessKeyId: keys.accessKeyId,
    policy,
    signature: createHmac('sha1', keys.secretAccessKey).update(policy).digest('base64'),
  }
}
