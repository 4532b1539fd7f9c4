// Browsers start no worker for a page that is opened from a folder. The search, which is one, then
// runs in a hidden frame, so that nothing needs a server. The file's name keeps the theme from
// fetching a script for this from a network.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.documentElement.append(frame)
      const inside = (this.inside = frame.contentWindow)
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      const script = inside.document.createElement("script")
      script.src = address
      this.ready = new Promise(resolve => script.addEventListener("load", resolve))
      inside.document.head.append(script)
    }
    postMessage(data) {
      const { inside } = this
      this.ready.then(() => inside.dispatchEvent(new inside.MessageEvent("message", { data })))
    }
    terminate() {}
  }
}
