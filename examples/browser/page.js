// What both pages show.
const element = (id) => document.getElementById(id)

export const settings = {
  get endpoint() {
    return element('endpoint').value
  },
  get parallelUploads() {
    return Number(element('parallel').value)
  },
}

// Between the attempts after a connection broke, in ms. After the last one the upload has failed, and can be resumed.
export const retryDelays = [0, 1000, 3000, 5000]

export function onFile(callback) {
  element('file').addEventListener('change', (event) => callback(event.target.files[0]))
}

export function onClick(id, callback) {
  element(id).addEventListener('click', callback)
}

export function showState(text) {
  element('state').textContent = text
  element('error').textContent = ''
}

export function showProgress(sent, total) {
  element('progress').value = total ? sent / total : 1
  showState(`${sent} of ${total} bytes`)
}

// Without a status the browser did not show the answer to this page: the server does not allow its origin, or is gone.
export function showError(error, status, body) {
  showState('failed')
  element('error').textContent = status ? `${status} ${body}` : `no answer: ${error.message}`
}

export function showDownload(url, name) {
  showState('done')
  const link = element('download')
  link.href = url
  link.textContent = name
  link.hidden = false
}
