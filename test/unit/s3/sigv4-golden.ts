/** AWS's published SigV4 examples, as the tests read them. */
import { readFileSync } from 'node:fs'

interface Chunk {
  readonly bytes: number
  readonly signature: string
}

export interface AwsExamples {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly amzDate: string
  readonly headerExamples: readonly {
    readonly name: string
    readonly method: string
    readonly path: string
    readonly query: string
    readonly headers: Readonly<Record<string, string>>
    readonly signature: string
  }[]
  readonly presignedExample: { readonly host: string; readonly path: string; readonly query: string }
  readonly chunkedExample: {
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly seedSignature: string
    readonly chunks: readonly Chunk[]
  }
  readonly trailerExample: {
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly seedSignature: string
    readonly chunks: readonly Chunk[]
    readonly trailer: string
    readonly trailerSignature: string
  }
  readonly postExample: {
    readonly bucket: string
    readonly date: string
    readonly fields: Readonly<Record<string, string>>
  }
}

export const awsExamples = JSON.parse(
  readFileSync(new URL('../../golden/sigv4/aws-examples.json', import.meta.url), 'utf8'),
) as AwsExamples

export const exampleScope = {
  accessKeyId: awsExamples.accessKeyId,
  date: awsExamples.amzDate.slice(0, 8),
  region: awsExamples.region,
  service: 's3',
}
