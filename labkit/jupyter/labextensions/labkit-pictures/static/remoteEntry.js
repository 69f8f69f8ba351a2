// Pictures in a notebook with the words that stand for them.  JupyterLab draws image/png
// without the text alternative that the output's metadata has; here it is given to the image.
// The form is that of a prebuilt extension, by hand: nothing has to be compiled.

(() => {
  let shared;

  const library = async (name) => {
    const versions = Object.values(shared[name]);
    const factory = await versions[0].get();
    return factory();
  };

  const pictures = async () => {
    const { RenderedImage } = await library("@jupyterlab/rendermime");

    class DescribedImage extends RenderedImage {
      constructor(options) {
        super(options);
        this.type = options.mimeType;
      }

      async render(model) {
        await super.render(model);
        const { alt } = model.metadata[this.type] ?? {};
        const image = this.node.querySelector("img");
        if (image && typeof alt === "string") image.alt = alt;
      }
    }

    const extension = {
      id: "labkit-pictures:png",
      description: "Pictures with their text alternative.",
      dataType: "string",
      rank: 90, // as JupyterLab's own
      rendererFactory: {
        safe: true,
        mimeTypes: ["image/png"],
        createRenderer: (options) => new DescribedImage(options),
      },
    };
    return () => ({ __esModule: true, default: extension });
  };

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["labkit-pictures"] = {
    init: (scope) => {
      shared = scope;
    },
    get: pictures,
  };
})();
