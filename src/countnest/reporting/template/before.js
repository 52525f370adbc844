// Canvases get at least two dots for each pixel, so that a printed page is sharp.
(() => {
  const own = Object.getOwnPropertyDescriptor(window, "devicePixelRatio");
  if (own && own.get && own.configurable) {
    Object.defineProperty(window, "devicePixelRatio", { ...own, get: () => Math.max(2, own.get.call(window)) });
  }
})();
