// A figure: plotly's own script draws it, this one tells the kernel whether anyone can see it
// (watch.js).

async function load(script) {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  try {
    const loaded = (await import(url)).default;
    return typeof loaded === "function" ? await loaded() : loaded;
  } finally {
    URL.revokeObjectURL(url);
  }
}

export default () => {
  let drawing;
  return {
    async initialize(given) {
      drawing = await load(given.model.get("_drawing"));
      return drawing.initialize?.(given);
    },
    async render(given) {
      const end = await drawing.render(given);
      const view = nameOfView();
      const unwatch = watch(given.el, (visible) => given.model.send({ view, visible }));
      return () => {
        unwatch();
        end?.();
      };
    },
  };
};
