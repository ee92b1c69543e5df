// The pages of the API's document. What is tried out there is asked by token alone, never by the
// session of the shop's own pages.
const page = document.getElementById("api-docs");

SwaggerUIBundle({
  url: page.dataset.schema,
  domNode: page,
  deepLinking: true,
  displayOperationId: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  requestInterceptor: (request) => ({ ...request, credentials: "omit" }),
});
