/** minio-js; it uploads in parts from 64 MiB on. */
import { Client, CopyConditions } from 'minio'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'
import type { StockClient } from './stock-client.ts'

export function minioClient({ endpoint, accessKeyId, secretAccessKey }: ClientAccess): Client {
  const { hostname, port } = new URL(endpoint)
  return new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: accessKeyId,
    secretKey: secretAccessKey,
  })
}

export const minioJs: StockClient = {
  name: 'minio-js',
  unavailable: async () => undefined,
  open: async (access) => {
    const client = minioClient(access)
    return {
      makeBucket: (bucket) => client.makeBucket(bucket, 'eu-central-1'),
      put: async (bucket, key, file) => void (await client.fPutObject(bucket, key, file)),
      get: (bucket, key, file) => client.fGetObject(bucket, key, file),
      range: async (bucket, key, first, last) => {
        const stream = await client.getPartialObject(bucket, key, first, last - first + 1)
        return Buffer.concat((await stream.toArray()) as Buffer[])
      },
      presign: (bucket, key) => client.presignedGetObject(bucket, key),
      copy: async (bucket, from, to) => {
        await client.copyObject(bucket, to, `/${bucket}/${from}`, new CopyConditions())
      },
      list: async (bucket) => {
        const keys: string[] = []
        for await (const item of client.listObjectsV2(bucket, '', true))
          keys.push((item as { name: string }).name)
        return keys
      },
      remove: (bucket, key) => client.removeObject(bucket, key),
    }
  },
}
