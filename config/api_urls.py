"""Addresses of the JSON API, all below /api/."""

from django.urls import include, path, re_path

from accounts import api as accounts
from accounts import staff_api as accounts_staff
from api.views import NothingHere
from cart import api as cart
from config import api_pages
from config.api_document import Document
from payments import api as payments
from payments import staff_api as payments_staff
from shop import api as shop
from shop import staff_api as shop_staff

app_name = "api"
_auth = [
    path("register/", accounts.Register.as_view(), name="register"),
    path("login/", accounts.SignIn.as_view(), name="login"),
    path("logout/", accounts.SignOut.as_view(), name="logout"),
    path("refresh/", accounts.Refresh.as_view(), name="refresh"),
    path("password/forgot/", accounts.ForgotPassword.as_view(), name="forgot_password"),
    path("password/reset/", accounts.ResetPassword.as_view(), name="reset_password"),
    path("password/change/", accounts.ChangePassword.as_view(), name="change_password"),
    path("me/", accounts.Me.as_view(), name="me"),
]
_order = [
    path("", payments.OrderDetail.as_view(), name="order"),
    path("cancel/", payments.Cancel.as_view(), name="cancel"),
    path("checkout-session/", payments.CheckoutSessions.as_view(), name="checkout_session"),
    path("payment-intent/", payments.PaymentIntents.as_view(), name="payment_intent"),
    path("payment/", payments.PaymentStatus.as_view(), name="payment"),
]
_staff = [
    path("users/", accounts_staff.Users.as_view(), name="users"),
    path("users/<uuid:public_id>/", accounts_staff.UserDetail.as_view(), name="user"),
    path(
        "users/<uuid:public_id>/deactivate/",
        accounts_staff.Deactivate.as_view(),
        name="deactivate",
    ),
    path("orders/", payments_staff.Orders.as_view(), name="all_orders"),
    path("orders/<slug:number>/", payments_staff.OrderDetail.as_view(), name="any_order"),
    path("orders/<slug:number>/fulfill/", payments_staff.Fulfill.as_view(), name="fulfill"),
    path("orders/<slug:number>/cancel/", payments_staff.Cancel.as_view(), name="cancel_any"),
    path("orders/<slug:number>/refund/", payments_staff.Refund.as_view(), name="refund"),
    path("products/", shop_staff.Products.as_view(), name="all_products"),
    path("products/<slug:slug>/", shop_staff.ProductDetail.as_view(), name="any_product"),
    path("products/<slug:slug>/variants/", shop_staff.Variants.as_view(), name="variants"),
    path("products/<slug:slug>/images/", shop_staff.Images.as_view(), name="images"),
    path("products/<slug:slug>/images/<str:name>/", shop_staff.ImageDetail.as_view(), name="image"),
    path("variants/<path:sku>/", shop_staff.VariantDetail.as_view(), name="variant"),
    path("categories/", shop_staff.Categories.as_view(), name="all_categories"),
    path("categories/<slug:slug>/", shop_staff.CategoryDetail.as_view(), name="category"),
    path("stock-movements/", shop_staff.StockMovements.as_view(), name="stock_movements"),
    path("events/", payments_staff.Inbox.as_view(), name="events"),
    path("events/<slug:event_id>/retry/", payments_staff.Retry.as_view(), name="retry"),
]
urlpatterns = [
    path("auth/", include(_auth)),
    path("products/", shop.Products.as_view(), name="products"),
    path("products/<slug:slug>/", shop.ProductDetail.as_view(), name="product"),
    path("categories/", shop.Categories.as_view(), name="categories"),
    path("cart/", cart.WholeCart.as_view(), name="cart"),
    path("cart/lines/", cart.Lines.as_view(), name="cart_lines"),
    path("cart/lines/<path:sku>/", cart.Line.as_view(), name="cart_line"),
    path("checkout/", payments.Checkout.as_view(), name="checkout"),
    path("orders/", payments.Orders.as_view(), name="orders"),
    path("orders/find/", payments.FindOrder.as_view(), name="find_order"),
    path("orders/<slug:number>/", include(_order)),
    path(
        "checkout-sessions/<slug:session_id>/",
        payments.VerifySession.as_view(),
        name="verify_session",
    ),
    path(
        "payment-intents/<slug:intent_id>/", payments.VerifyIntent.as_view(), name="verify_intent"
    ),
    path("admin/", include(_staff)),
    path("schema/", Document.as_view(), name="schema"),
    path("docs/", api_pages.docs, name="docs"),
    path("problems/", api_pages.problems, name="problems"),
    re_path("", NothingHere.as_view(), name="nothing_here"),
]
