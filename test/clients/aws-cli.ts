/** The aws CLI, as installed. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { awsEnvironment, linesOf, missingTool, runTool, type StockClient } from './stock-client.ts'

export const awsCli: StockClient = {
  name: 'aws CLI',
  unavailable: () => missingTool('aws', '--version'),
  open: async (access, folder) => {
    const env = awsEnvironment(access, folder)
    const aws = (...args: string[]) => runTool('aws', args, { env })
    return {
      makeBucket: async (bucket) => void (await aws('s3', 'mb', `s3://${bucket}`)),
      put: async (bucket, key, file) => void (await aws('s3', 'cp', file, `s3://${bucket}/${key}`)),
      get: async (bucket, key, file) => void (await aws('s3', 'cp', `s3://${bucket}/${key}`, file)),
      range: async (bucket, key, first, last) => {
        const file = join(folder, 'range')
        const where = ['--bucket', bucket, '--key', key]
        await aws('s3api', 'get-object', ...where, '--range', `bytes=${first}-${last}`, file)
        return await readFile(file)
      },
      presign: async (bucket, key) =>
        (await aws('s3', 'presign', `s3://${bucket}/${key}`)).stdout.toString('utf8').trim(),
      copy: async (bucket, from, to) =>
        void (await aws('s3', 'cp', `s3://${bucket}/${from}`, `s3://${bucket}/${to}`)),
      list: async (bucket) => {
        const { stdout } = await aws('s3', 'ls', '--recursive', `s3://${bucket}/`)
        // date, time, size, key; the key may hold spaces.
        return linesOf(stdout).map((line) => /^\S+ +\S+ +\d+ (.*)$/.exec(line)?.[1] ?? line)
      },
      remove: async (bucket, key) => void (await aws('s3', 'rm', `s3://${bucket}/${key}`)),
    }
  },
}
