/** AWS SDK for JavaScript v3 with lib-storage and the presigner. */
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { StockClient } from './stock-client.ts'

export const awsSdkJs: StockClient = {
  name: 'AWS SDK for JavaScript v3',
  unavailable: async () => undefined,
  open: async ({ endpoint, region, accessKeyId, secretAccessKey }) => {
    const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey } })
    const read = async (bucket: string, key: string, range?: string): Promise<Readable> => {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(range === undefined ? {} : { Range: range }),
      })
      const { Body } = await client.send(command)
      if (!(Body instanceof Readable)) throw new Error('the SDK returned no stream')
      return Body
    }
    return {
      makeBucket: async (bucket) => void (await client.send(new CreateBucketCommand({ Bucket: bucket }))),
      put: async (bucket, key, file) => {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: await readFile(file) }))
      },
      putLarge: async (bucket, key, file) => {
        const params = { Bucket: bucket, Key: key, Body: createReadStream(file) }
        await new Upload({ client, params }).done()
      },
      get: async (bucket, key, file) => await pipeline(await read(bucket, key), createWriteStream(file)),
      range: async (bucket, key, first, last) => {
        const chunks = await (await read(bucket, key, `bytes=${first}-${last}`)).toArray()
        return Buffer.concat(chunks as Buffer[])
      },
      presign: (bucket, key) => getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key })),
      copy: async (bucket, from, to) => {
        const CopySource = `${bucket}/${encodeURIComponent(from)}`
        await client.send(new CopyObjectCommand({ Bucket: bucket, Key: to, CopySource }))
      },
      list: async (bucket) => {
        const keys: string[] = []
        for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
          for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
        }
        return keys
      },
      remove: async (bucket, key) =>
        void (await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))),
      close: async () => client.destroy(),
    }
  },
}
