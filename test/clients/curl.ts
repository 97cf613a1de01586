/** curl --aws-sigv4: the smallest S3 client there is. It uploads whole, so it has no part uploads. */
import { keysOf } from '../workload/s3-connection.ts'
import { encodeRfc3986 } from '../workload/sigv4-signer.ts'
import { missingTool, runTool, type StockClient } from './stock-client.ts'

export const curl: StockClient = {
  name: 'curl --aws-sigv4',
  unavailable: () => missingTool('curl', '--version'),
  open: async (access) => {
    const call = (...args: string[]) =>
      runTool('curl', [
        '--silent',
        '--show-error',
        '--fail-with-body',
        '--aws-sigv4',
        `aws:amz:${access.region}:s3`,
        '--user',
        `${access.accessKeyId}:${access.secretAccessKey}`,
        // S3 wants this header of everybody; curl adds it by itself only from version 8 on.
        '--header',
        'x-amz-content-sha256: UNSIGNED-PAYLOAD',
        ...args,
      ])
    const url = (bucket: string, key = '') =>
      `${access.endpoint}/${bucket}${key === '' ? '' : `/${key.split('/').map(encodeRfc3986).join('/')}`}`
    return {
      makeBucket: async (bucket) => void (await call('--request', 'PUT', url(bucket))),
      put: async (bucket, key, file) => void (await call('--upload-file', file, url(bucket, key))),
      get: async (bucket, key, file) => void (await call('--output', file, url(bucket, key))),
      range: async (bucket, key, first, last) =>
        (await call('--range', `${first}-${last}`, url(bucket, key))).stdout,
      copy: async (bucket, from, to) => {
        const source = url(bucket, from).slice(access.endpoint.length)
        await call('--request', 'PUT', '--header', `x-amz-copy-source: ${source}`, url(bucket, to))
      },
      list: async (bucket) => keysOf((await call(`${url(bucket)}?list-type=2`)).stdout.toString('utf8')),
      remove: async (bucket, key) => void (await call('--request', 'DELETE', url(bucket, key))),
    }
  },
}
