// Uploads with tus-js-client what a JSON job on the command line asks for, all uploads at the same time.
//
//   {"endpoint": url, "uploads": [{"file": path, "options": {...}, "stream": bool,
//                                  "abortAt": bytes, "terminate": bool}, ...]}
//
// Prints {"results": [{"url", "errors", "chunks", "aborted"}, ...]}, or fails with the client's error.
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import * as tus from 'tus-js-client'

// A foreign network is never over after a few attempts in these tests.
const retryDelays = [0, 50, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000]

function openInput(job) {
  const file = createReadStream(job.file)
  // Behind a PassThrough the client cannot see that it is a file, nor how long it is.
  return job.stream ? file.pipe(new PassThrough()) : file
}

function run(endpoint, job) {
  const result = { url: null, errors: [], chunks: 0, aborted: false }
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(openInput(job), {
      endpoint,
      retryDelays,
      metadata: { filename: 'grüße.bin', filetype: 'application/octet-stream' },
      ...job.options,
      onShouldRetry(error, attempt) {
        const status = error.originalResponse ? error.originalResponse.getStatus() : 0
        result.errors.push(status)
        // What the client would do by itself, less the question whether this machine is online.
        return status < 400 || status >= 500 || status === 409 || status === 423
      },
      onProgress(sent) {
        if (job.abortAt && sent >= job.abortAt && !result.aborted) {
          result.aborted = true
          result.url = upload.url
          upload.abort(Boolean(job.terminate)).then(() => resolve(result), reject)
        }
      },
      onChunkComplete() {
        result.chunks += 1
      },
      onError: reject,
      onSuccess() {
        result.url = upload.url
        resolve(result)
      },
    })
    upload.start()
  })
}

const { endpoint, uploads } = JSON.parse(process.argv[2])
try {
  const results = await Promise.all(uploads.map((job) => run(endpoint, job)))
  console.log(JSON.stringify({ results }))
  // Sockets kept alive and inputs given up would hold the process.
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
